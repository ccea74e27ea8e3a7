//! Runners that break the contract, for the tests of the supervisor. Not in a shipped build.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use prost::Message;
use rustix::process::Signal;
use sekisho_dataset::GrantedKeys;
use sekisho_jail::{Confinement, Lowered};
use sekisho_proto::v1;
use sekisho_vault::{Key, SigningIdentity};

use crate::frame::{self, Kind};
use crate::{Cancel, RunData, RunSpec, RunnerCommand, Runners, message};

/// Plays one bad runner, or a supervisor of one.
pub fn misbehave(how: &str) -> ExitCode {
    if sekisho_jail::shed_inherited().is_err() {
        return ExitCode::FAILURE;
    }
    if how == "supervises-one-that-hangs" {
        return supervise_one_that_hangs();
    }
    match play(how) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn play(how: &str) -> io::Result<()> {
    let (_, bytes) = frame::read(&mut io::stdin(), 1 << 20)?;
    match how {
        "says-done-before-confined" => return say(Kind::Done, &message::Done::default()),
        "cannot-be-confined" => {
            return say(
                Kind::Refused,
                &message::Refused {
                    code: "jail.missing_network".to_owned(),
                    reason: "no user namespaces".to_owned(),
                },
            );
        }
        "hangs-in-the-jail" => confine_for_real(&bytes)?,
        _ => say(Kind::Confined, &message::Confined { jail: "probe".to_owned() })?,
    }
    let kind = if how == "hangs-without-reading" {
        let mut kind = [0];
        io::stdin().read_exact(&mut kind)?;
        if kind == [Kind::Compile as u8] { Kind::Compile } else { Kind::Job }
    } else {
        frame::read(&mut io::stdin(), 512 << 20)?.0
    };
    match how.strip_prefix("compiler-") {
        // Compiles well: compiling is not what it is bad at.
        None if kind == Kind::Compile => frame::write(&mut io::stdout(), Kind::Compiled, b"code"),
        bad => after_the_job(bad.unwrap_or(how)),
    }
}

fn after_the_job(how: &str) -> io::Result<()> {
    match how {
        "hangs" | "hangs-in-the-jail" | "hangs-without-reading" => loop {
            std::thread::sleep(Duration::from_secs(60));
        },
        "floods" => loop {
            progress(0)?;
        },
        "announces-four-gigabytes" => raw(&[Kind::Output as u8, 255, 255, 255, 255]),
        "says-something-unknown" => raw(&[99, 0, 0, 0, 0]),
        "is-killed" => signal(Signal::KILL),
        "runs-out-of-memory" => signal(Signal::ABORT),
        "sends-code" => frame::write(&mut io::stdout(), Kind::Compiled, b"code"),
        "asks-for-a-refused-call" => signal(Signal::SYS),
        "leaves-without-a-word" => Ok(()),
        "falls-back" => progress(5).and_then(|()| progress(4)),
        "talks-about-data" => say(
            Kind::Done,
            &message::Done {
                usage: None,
                developer: Some(message::DeveloperDetail {
                    messages: vec!["patient 17 died".to_owned()],
                    ..message::DeveloperDetail::default()
                }),
            },
        ),
        "sends-too-much" => loop {
            let sealed = vec![0; 64 * 1024];
            let name = "much".to_owned();
            say(Kind::Output, &v1::SealedOutput { name, sealed })?;
        },
        "tells-its-surroundings" => tell_surroundings(),
        "finishes" => {
            progress(3)?;
            progress(10)?;
            say(Kind::Output, &v1::SealedOutput { name: "one".to_owned(), sealed: vec![1, 2, 3] })?;
            let usage =
                v1::RunUsage { rows_read: 7, jail: "a lie".to_owned(), ..v1::RunUsage::default() };
            let usage = Some(usage);
            say(Kind::Done, &message::Done { usage, developer: None })
        }
        _ => Err(io::Error::other("no such probe")),
    }
}

fn supervise_one_that_hangs() -> ExitCode {
    let (Ok(keys), Ok(identity), Ok(output_key)) = (
        GrantedKeys::from_pipe(b"SKGRANT1\0\0\0\x01d\0\0\0\x02v1\0\0\0\0"),
        SigningIdentity::generate(),
        Key::generate(),
    ) else {
        return ExitCode::FAILURE;
    };
    let spec = RunSpec {
        ticket: v1::RunTicket::default(),
        manifest: String::new(),
        component: Vec::new().into(),
        bring_ins: Vec::new(),
        data: vec![RunData { folder: std::env::temp_dir(), keys }],
        ingest: identity.verifying(),
        order_key: output_key.clone(),
        output_key,
        dummy: true,
        receiver: None,
        lowered: Lowered::default(),
    };
    let command = RunnerCommand::program("/proc/self/exe").argument("hangs-in-the-jail");
    let Ok(runners) = Runners::new(command) else { return ExitCode::FAILURE };
    crate::supervise(&spec, &runners, &mut |_| {}, &Cancel::new());
    ExitCode::FAILURE
}

/// Environment variables, open descriptors and arguments, as a failure code.
fn tell_surroundings() -> io::Result<()> {
    // The listing itself holds one descriptor.
    let open = std::fs::read_dir("/proc/self/fd")?.count() - 1;
    let code = format!(
        "env{}.fd{open}.cwd{}",
        std::env::vars_os().count(),
        std::env::current_dir()?.as_os_str().len()
    );
    say(
        Kind::Failed,
        &message::Failed {
            class: v1::FailureClass::ModuleError.into(),
            code,
            ..message::Failed::default()
        },
    )
}

fn confine_for_real(bytes: &[u8]) -> io::Result<()> {
    let confine = message::Confine::decode(bytes).map_err(io::Error::other)?;
    let record = Confinement {
        readable: confine.datasets.into_iter().map(Into::into).collect(),
        data_bytes: confine.data_bytes,
        lowered: Lowered::default(),
        supervisor: Some(confine.supervisor),
    }
    .enter()
    .map_err(io::Error::other)?;
    let jail = record.to_string();
    say(Kind::Confined, &message::Confined { jail })
}

fn progress(tenths: u32) -> io::Result<()> {
    say(Kind::Progress, &message::Progress { tenths })
}

fn say(kind: Kind, message: &impl Message) -> io::Result<()> {
    frame::write(&mut io::stdout(), kind, &message.encode_to_vec())
}

fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(bytes)?;
    out.flush()?;
    // Stays, so that only the bytes can be what ends the run.
    std::thread::sleep(Duration::from_secs(60));
    Ok(())
}

fn signal(signal: Signal) -> io::Result<()> {
    rustix::process::kill_process(rustix::process::getpid(), signal)?;
    Ok(())
}
