//! The real `anze`, used as its users would use it: files in, releases out.

mod broken_rows;
mod delivery;
mod deployment;
mod killed;
mod repeated;
mod served;
mod traced;
