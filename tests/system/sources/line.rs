//! A line to a server that breaks once, after so many bytes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;

/// Opens a line to a port on this machine and gives its own port. The first connection is cut after
/// the server has sent `bytes` over it; later ones are not.
pub fn that_breaks_once(port: u16, bytes: usize) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let own_port = listener.local_addr().unwrap().port();
    // It ends with the process of the tests: nobody listens to it once its test is over.
    thread::spawn(move || {
        let mut allowance = Some(bytes);
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect((Ipv4Addr::LOCALHOST, port))) else { return };
            let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass_on(from_client, to_server, None));
            let allowance = allowance.take();
            thread::spawn(move || pass_on(server, client, allowance));
        }
    });
    own_port
}

/// Passes bytes on until one side ends or the allowance is used up, then ends both.
fn pass_on(mut from: TcpStream, mut to: TcpStream, allowance: Option<usize>) {
    let mut left = allowance.unwrap_or(usize::MAX);
    let mut buffer = [0; 4096];
    while left > 0 {
        let most = buffer.len().min(left);
        match from.read(&mut buffer[..most]) {
            Ok(read) if read > 0 && to.write_all(&buffer[..read]).is_ok() => left -= read,
            _ => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
