//! A wire to the database that a case can cut at the worst moment.

use std::{path::PathBuf, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};

/// What the wire does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Passes everything on.
    Open,
    /// Breaks once, instead of passing a commit on.
    BreakBeforeCommit,
    /// Breaks once, instead of passing on the answer to a commit.
    BreakAfterCommit,
    /// Passes nothing on.
    Down,
}

/// A port on loopback that leads to the database.
pub(crate) struct Wire {
    port: u16,
    mode: Arc<watch::Sender<Mode>>,
}

impl Wire {
    /// Leads to the server behind `socket`.
    pub(crate) async fn to(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = Arc::new(watch::Sender::new(Mode::Open));
        let shared = Arc::clone(&mode);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&shared)));
            }
        });
        Self { port, mode }
    }

    /// Reaches the same database as `url` does, over this wire.
    pub(crate) fn url(&self, url: &str) -> String {
        let (before, _) = url.split_once('?').unwrap();
        before.replace("localhost", &format!("127.0.0.1:{}", self.port)) + "?sslmode=disable"
    }

    /// Changes what the wire does from now on.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// What it does now: a break that happened leaves it open.
    pub(crate) fn mode(&self) -> Mode {
        *self.mode.borrow()
    }
}

/// Carries one connection; both ends close when it returns.
async fn pass(mut client: TcpStream, mut server: UnixStream, mode: Arc<watch::Sender<Mode>>) {
    let mut changes = mode.subscribe();
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    loop {
        if *changes.borrow_and_update() == Mode::Down {
            return;
        }
        tokio::select! {
            _ = changes.changed() => {}
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let commits = asked[..length].windows(6).any(|word| word == b"COMMIT");
                let breaks = if commits { break_now(&mode) } else { Mode::Open };
                if breaks == Mode::BreakBeforeCommit || server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
                if breaks == Mode::BreakAfterCommit {
                    // The first byte of the answer comes after the commit.
                    let _ = server.read(&mut answered).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Takes the order to break, so that it is carried out once.
fn break_now(mode: &watch::Sender<Mode>) -> Mode {
    let mut taken = Mode::Open;
    mode.send_if_modified(|mode| {
        let breaks = matches!(mode, Mode::BreakBeforeCommit | Mode::BreakAfterCommit);
        if breaks {
            taken = std::mem::replace(mode, Mode::Open);
        }
        breaks
    });
    taken
}
