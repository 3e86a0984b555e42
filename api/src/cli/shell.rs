//! The shell of `anze sql`: statements from standard input, each ended by a semicolon.

use std::io::{self, BufRead};
use std::sync::Arc;

use anze_warehouse::Release;

use super::sql::print;
use crate::deployment::Deployment;
use crate::output::Terminal;

/// Reads and answers until the input ends. A person is told what was wrong and goes on; a script
/// stops at its first wrong statement.
pub(super) async fn run(terminal: Terminal, deployment: &Deployment, release: &Arc<Release>) -> anyhow::Result<()> {
    let interactive = terminal.is_interactive();
    if interactive {
        terminal.say(&format!(
            "release {} of {} · end statements with ; · show tables; lists what there is · ctrl-d leaves",
            release.number(),
            release.day()
        ));
    }
    let mut typed = Typed::default();
    for line in io::stdin().lock().lines() {
        for statement in typed.add(&line?) {
            if let Err(error) = print(terminal, deployment, release, &statement).await {
                if !interactive {
                    return Err(error);
                }
                terminal.say(&format!("{error:#}"));
            }
        }
    }
    match typed.rest() {
        Some(statement) => print(terminal, deployment, release, &statement).await,
        None => Ok(()),
    }
}

/// What was typed and is not a whole statement yet.
#[derive(Debug, Default)]
struct Typed {
    text: String,
}

impl Typed {
    /// Adds a line; gives the statements that it ends. A semicolon in quotes or a comment ends none.
    fn add(&mut self, line: &str) -> Vec<String> {
        self.text.push_str(line);
        self.text.push('\n');
        let mut statements = Vec::new();
        while let Some(end) = end_of_statement(&self.text) {
            let rest = self.text.split_off(end + 1);
            let mut statement = std::mem::replace(&mut self.text, rest);
            statement.pop();
            if !statement.trim().is_empty() {
                statements.push(statement.trim().to_owned());
            }
        }
        statements
    }

    /// What is left when the input ends.
    fn rest(self) -> Option<String> {
        let rest = self.text.trim();
        (!rest.is_empty()).then(|| rest.to_owned())
    }
}

/// Where the first semicolon stands that is neither quoted nor in a comment.
fn end_of_statement(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let skip_to = |until: &str| text[at + 1..].find(until).map(|found| at + 1 + found + until.len());
        at = match (bytes[at], bytes.get(at + 1)) {
            (b';', _) => return Some(at),
            (b'\'', _) => skip_to("'")?,
            (b'"', _) => skip_to("\"")?,
            (b'-', Some(b'-')) => skip_to("\n")?,
            (b'/', Some(b'*')) => skip_to("*/")?,
            _ => at + 1,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_outside_quotes_and_comments() {
        let mut typed = Typed::default();
        assert_eq!(typed.add("select ';' as a,"), Vec::<String>::new());
        assert_eq!(typed.add("  \"b;\" -- c;"), Vec::<String>::new());
        assert_eq!(
            typed.add("/* ; */ from t; select 2; select '杭"),
            ["select ';' as a,\n  \"b;\" -- c;\n/* ; */ from t", "select 2"]
        );
        assert_eq!(typed.add("';;"), ["select '杭\n'"]);
        assert_eq!(typed.add("select 3"), Vec::<String>::new());
        assert_eq!(typed.rest().as_deref(), Some("select 3"));
    }
}
