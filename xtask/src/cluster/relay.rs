//! The way in from outside: a port on the host's loopback that leads to the API server inside the
//! cluster's network.
//!
//! A process of its own (`cargo xtask relay`, hidden). A socket belongs to the network namespace
//! that it was made in: so the process listens first, then enters the cluster's namespace and makes
//! its connections there.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::files::write_whole;
use crate::progress::say;

/// The API server's port inside.
pub const API_SERVER: u16 = 6443;

/// Serves until it is ended. The port is the one written in `port_file` if it is free, else any,
/// which is then written there.
pub fn serve(namespace: &Path, port_file: &Path) -> Result<()> {
    let wanted = port(port_file).unwrap_or(0);
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)),
        result => result,
    }
    .context("cannot listen on loopback")?;
    let file = fs_err::File::open(namespace)?;
    move_into_link_name_space(std::os::fd::AsFd::as_fd(file.file()), Some(LinkNameSpaceType::Network))
        .with_context(|| format!("cannot enter {}", namespace.display()))?;
    write_whole(port_file, listener.local_addr()?.port().to_string())?; // only now: who reads it may connect
    for client in listener.incoming() {
        let client = client?;
        std::thread::spawn(move || {
            if let Err(error) = carry(client) {
                say(format_args!("a connection ended: {error}"));
            }
        });
    }
    Ok(())
}

/// The port that was written down.
pub fn port(file: &Path) -> Option<u16> {
    fs_err::read_to_string(file).ok()?.trim().parse().ok()
}

fn carry(client: TcpStream) -> std::io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, API_SERVER))?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    let up = std::thread::spawn(move || one_way(from, to));
    one_way(server, client);
    let _ = up.join(); // it has no result, and does not panic
    Ok(())
}

/// Copies until the end of one side, and passes that end on; an error is an end.
fn one_way(mut from: TcpStream, mut to: TcpStream) {
    if std::io::copy(&mut from, &mut to).is_err() {
        let _ = from.shutdown(Shutdown::Both);
    }
    let _ = to.shutdown(Shutdown::Write);
}
