use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prost::Message as _;
use rustix::event::{PollFd, PollFlags, Timespec};
use sekisho_jail::Lowered;
use sekisho_vault::{ReceivingPublic, Zeroizing};

use crate::frame::{self, Kind};
use crate::{RunSpec, RunnerCommand, message};

/// From the last frame to the end of the process, which wipes its keys in between.
const EXIT_WITHIN: Duration = Duration::from_secs(5);

/// What came over the pipe.
pub(crate) enum Heard<'a> {
    Nothing,
    Bytes(&'a [u8]),
    End,
}

/// The child process; killed and reaped when dropped, so none is ever left behind.
pub(crate) struct Runner {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// Feeds the job: a runner that does not read must not stop the supervisor.
    feeder: Option<JoinHandle<()>>,
    buffer: Box<[u8]>,
}

impl Runner {
    /// Starts the program with nothing but three standard descriptors, and tells it how to
    /// confine itself. An error is a stable code.
    pub(crate) fn start(
        command: &RunnerCommand,
        datasets: &[&Path],
        data_bytes: u64,
        lowered: &Lowered,
    ) -> Result<Self, &'static str> {
        let confine = message::Confine {
            datasets: resolve(datasets).ok_or("runner.dataset_folder")?,
            lowered: lowered.iter().map(|c| c.name().to_owned()).collect(),
            data_bytes,
            supervisor: i32::try_from(std::process::id()).unwrap_or(0),
        };
        let mut child = spawn(command).map_err(|_| "runner.cannot_start")?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(mut stdin), Some(stdout)) = pipes else {
            let _ = child.kill().and_then(|()| child.wait());
            return Err("runner.cannot_start");
        };
        // Small enough for the pipe's own buffer, so this cannot wait for the runner. If it
        // fails the runner is gone, which its standard output tells too.
        let _ = frame::write(&mut stdin, Kind::Confine, &confine.encode_to_vec());
        Ok(Self {
            child,
            stdin: Some(stdin),
            stdout,
            feeder: None,
            buffer: vec![0; 64 * 1024].into_boxed_slice(),
        })
    }

    /// Hands over what is to be done, in the background.
    pub(crate) fn send(&mut self, kind: Kind, payload: Zeroizing<Vec<u8>>) {
        let Some(mut stdin) = self.stdin.take() else {
            return;
        };
        // A failed write means the runner is gone, which its standard output tells too.
        self.feeder = Some(std::thread::spawn(move || {
            let _ = frame::write(&mut stdin, kind, &payload);
        }));
    }

    /// Waits for bytes, at most `patience`.
    pub(crate) fn read(&mut self, patience: Duration) -> io::Result<Heard<'_>> {
        let mut poll = [PollFd::from_borrowed_fd(self.stdout.as_fd(), PollFlags::IN)];
        let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
        match rustix::event::poll(&mut poll, Some(&patience)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(Heard::Nothing),
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        let count = self.stdout.read(&mut self.buffer)?;
        Ok(match self.buffer.get(..count) {
            None | Some([]) => Heard::End,
            Some(bytes) => Heard::Bytes(bytes),
        })
    }

    /// Lets a runner that has finished end by itself, for a while.
    pub(crate) fn leave(&mut self) {
        let _ = self.wait(EXIT_WITHIN);
    }

    /// How the process ended, once its pipe has closed.
    pub(crate) fn end(&mut self) -> Option<ExitStatus> {
        self.wait(EXIT_WITHIN)
    }

    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Both succeed at once for a process that has been reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(feeder) = self.feeder.take() {
            let _ = feeder.join();
        }
    }
}

fn spawn(command: &RunnerCommand) -> io::Result<Child> {
    Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .current_dir("/")
        // A signal from a terminal goes to the supervisor alone.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

fn resolve(folders: &[&Path]) -> Option<Vec<String>> {
    let resolve = |folder: &&Path| folder.canonicalize().ok()?.into_os_string().into_string().ok();
    folders.iter().map(resolve).collect()
}

/// A module's order to the compiler as bytes.
pub(crate) fn compile_order(spec: &RunSpec) -> Zeroizing<Vec<u8>> {
    let order = message::Compile {
        component: spec.component.to_vec(),
        manifest: spec.manifest.clone(),
        limits: spec.ticket.limits,
        dummy: spec.dummy,
    };
    Zeroizing::new(order.encode_to_vec())
}

/// The job as bytes; every copy of a key made on the way is wiped.
pub(crate) fn job(spec: &RunSpec, code: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut job = message::Job {
        ticket: Some(spec.ticket.clone()),
        manifest: spec.manifest.clone(),
        code: code.to_vec(),
        granted_keys: spec.data.iter().map(|data| data.keys.danger_to_pipe().to_vec()).collect(),
        output_key: spec.output_key.danger_bytes().to_vec(),
        order_key: spec.order_key.danger_bytes().to_vec(),
        ingest_key: spec.ingest.to_hex(),
        dummy: spec.dummy,
        receiver: spec.receiver.as_ref().map(ReceivingPublic::to_text).unwrap_or_default(),
        bring_ins: spec.bring_ins.iter().map(Into::into).collect(),
    };
    let bytes = Zeroizing::new(job.encode_to_vec());
    job.wipe();
    bytes
}
