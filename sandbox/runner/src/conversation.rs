use sekisho_proto::v1;

use crate::frame::{Assembler, BadFrame, Kind};
use crate::{Failure, message};

/// What a runner may say, understood.
pub(crate) enum Said {
    Confined(String),
    Refused { code: String, reason: String },
    Progress(u32),
    Output(v1::SealedOutput),
    Done { usage: v1::RunUsage, developer: Option<crate::Developer> },
    Failed(Failure),
    Compiled(Vec<u8>),
}

/// What no runner of ours says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Unknown,
    TooLong,
    Unreadable,
    OutOfTurn,
    TooMuch,
    Talks,
}

impl Broken {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Unknown => "runner.unknown_frame",
            Self::TooLong => "runner.frame_too_long",
            Self::Unreadable => "runner.unreadable_frame",
            Self::OutOfTurn => "runner.frame_out_of_turn",
            Self::TooMuch => "runner.too_much_output",
            Self::Talks => "runner.detail_over_real_data",
        }
    }
}

impl From<BadFrame> for Broken {
    fn from(bad: BadFrame) -> Self {
        match bad {
            BadFrame::Unknown(_) => Self::Unknown,
            BadFrame::TooLong(_) => Self::TooLong,
        }
    }
}

/// A manifest declares far fewer.
const MOST_OUTPUTS: usize = 256;
const MOST_NAME: usize = 256;
const MOST_TEXT: usize = 4 * 1024;
const MOST_DETAIL: usize = 1 << 20;

/// Checks every word of an untrusted runner: order, size, number and content.
pub(crate) struct Conversation {
    assembler: Assembler,
    dummy: bool,
    confined: bool,
    tenths: u32,
    outputs: usize,
    bytes_left: usize,
}

impl Conversation {
    /// `bytes` is the most all sealed outputs may have together, or a module's code.
    pub(crate) fn new(bytes: usize, dummy: bool) -> Self {
        Self {
            assembler: Assembler::new(bytes, longest),
            dummy,
            confined: false,
            tenths: 0,
            outputs: 0,
            bytes_left: bytes,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.assembler.push(bytes);
    }

    /// The next thing said; silent progress is left out.
    pub(crate) fn next(&mut self) -> Result<Option<Said>, Broken> {
        while let Some((kind, payload)) = self.assembler.next()? {
            if let Some(said) = self.understand(kind, payload)? {
                return Ok(Some(said));
            }
        }
        Ok(None)
    }

    fn understand(&mut self, kind: Kind, payload: Vec<u8>) -> Result<Option<Said>, Broken> {
        let opening = matches!(kind, Kind::Confined | Kind::Refused);
        if opening == self.confined {
            return Err(Broken::OutOfTurn);
        }
        match kind {
            Kind::Confined => self.confined(&payload).map(Some),
            Kind::Refused => refused(&payload).map(Some),
            Kind::Progress => self.progress(&payload),
            Kind::Output => self.output(&payload).map(Some),
            Kind::Done => self.done(&payload).map(Some),
            Kind::Failed => self.failed(&payload).map(Some),
            Kind::Compiled => Ok(Some(Said::Compiled(payload))),
            Kind::Confine | Kind::Job | Kind::Compile => Err(Broken::OutOfTurn),
        }
    }

    fn confined(&mut self, payload: &[u8]) -> Result<Said, Broken> {
        let message::Confined { jail } = decode(payload)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -:.".contains(&byte);
        if jail.is_empty() || !jail.bytes().all(plain) {
            return Err(Broken::Unreadable);
        }
        self.confined = true;
        Ok(Said::Confined(jail))
    }

    fn progress(&mut self, payload: &[u8]) -> Result<Option<Said>, Broken> {
        let message::Progress { tenths } = decode(payload)?;
        match tenths {
            0 if self.tenths == 0 => Ok(None),
            // Each tenth once, so that the number of frames carries nothing.
            1..=10 if tenths > self.tenths => {
                self.tenths = tenths;
                Ok(Some(Said::Progress(tenths)))
            }
            _ => Err(Broken::OutOfTurn),
        }
    }

    fn output(&mut self, payload: &[u8]) -> Result<Said, Broken> {
        let output: v1::SealedOutput = decode(payload)?;
        self.outputs += 1;
        self.bytes_left = self.bytes_left.checked_sub(payload.len()).ok_or(Broken::TooMuch)?;
        if self.outputs > MOST_OUTPUTS || output.name.len() > MOST_NAME {
            return Err(Broken::TooMuch);
        }
        Ok(Said::Output(output))
    }

    fn done(&self, payload: &[u8]) -> Result<Said, Broken> {
        let done: message::Done = decode(payload)?;
        Ok(Said::Done {
            usage: done.usage.unwrap_or_default(),
            developer: self.detail(done.developer)?,
        })
    }

    fn failed(&self, payload: &[u8]) -> Result<Said, Broken> {
        let failed: message::Failed = decode(payload)?;
        let class = match failed.class() {
            v1::FailureClass::Unspecified => return Err(Broken::Unreadable),
            class => class,
        };
        Ok(Said::Failed(Failure {
            class,
            code: code(failed.code)?,
            usage: failed.usage.unwrap_or_default(),
            developer: self.detail(failed.developer)?,
        }))
    }

    fn detail(
        &self,
        detail: Option<message::DeveloperDetail>,
    ) -> Result<Option<crate::Developer>, Broken> {
        match detail {
            Some(_) if !self.dummy => Err(Broken::Talks),
            detail => Ok(detail.map(Into::into)),
        }
    }
}

fn refused(payload: &[u8]) -> Result<Said, Broken> {
    let refused: message::Refused = decode(payload)?;
    Ok(Said::Refused { code: code(refused.code)?, reason: refused.reason })
}

/// The longest payload of each kind.
fn longest(kind: Kind, output_bytes: usize) -> usize {
    match kind {
        Kind::Progress => 16,
        Kind::Confined | Kind::Refused => MOST_TEXT,
        Kind::Done | Kind::Failed => MOST_DETAIL,
        Kind::Output | Kind::Compiled => output_bytes,
        // Never from a runner: refused as soon as the first byte is understood.
        Kind::Confine | Kind::Job | Kind::Compile => 0,
    }
}

fn decode<M: prost::Message + Default>(payload: &[u8]) -> Result<M, Broken> {
    M::decode(payload).map_err(|_| Broken::Unreadable)
}

/// A code of ours: short and plain, so that it cannot carry values into a log.
fn code(code: String) -> Result<String, Broken> {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
    if (1..=64).contains(&code.len()) && code.bytes().all(plain) {
        Ok(code)
    } else {
        Err(Broken::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(
        conversation: &mut Conversation,
        kind: Kind,
        message: &impl prost::Message,
    ) -> Result<Option<Said>, Broken> {
        let mut wire = Vec::new();
        crate::frame::write(&mut wire, kind, &message.encode_to_vec()).unwrap();
        conversation.push(&wire);
        conversation.next()
    }

    fn confined(dummy: bool) -> Conversation {
        let mut conversation = Conversation::new(100, dummy);
        let jail = "netns seccomp-50".to_owned();
        say(&mut conversation, Kind::Confined, &message::Confined { jail }).unwrap();
        conversation
    }

    #[test]
    fn nothing_is_heard_before_the_jail() {
        let mut conversation = Conversation::new(100, false);
        let early = say(&mut conversation, Kind::Done, &message::Done::default());
        assert!(matches!(early, Err(Broken::OutOfTurn)));
    }

    #[test]
    fn the_jail_is_reported_once_and_in_plain_words() {
        let confine = |jail: &str| message::Confined { jail: jail.to_owned() };
        let again = say(&mut confined(false), Kind::Confined, &confine("netns"));
        assert!(matches!(again, Err(Broken::OutOfTurn)));
        for odd in ["", "a\nb", "{\"value\"}"] {
            let said = say(&mut Conversation::new(100, false), Kind::Confined, &confine(odd));
            assert!(matches!(said, Err(Broken::Unreadable)), "{odd}");
        }
    }

    #[test]
    fn progress_rises_or_ends_the_run() {
        let mut conversation = confined(false);
        let progress = |tenths| message::Progress { tenths };
        assert!(matches!(say(&mut conversation, Kind::Progress, &progress(0)), Ok(None)));
        assert!(matches!(
            say(&mut conversation, Kind::Progress, &progress(3)),
            Ok(Some(Said::Progress(3)))
        ));
        for tenths in [0, 2, 3, 11] {
            let said = say(&mut conversation, Kind::Progress, &progress(tenths));
            assert!(matches!(said, Err(Broken::OutOfTurn)), "{tenths}");
        }
    }

    #[test]
    fn outputs_are_bounded_together() {
        let mut conversation = confined(false);
        let output = v1::SealedOutput { name: "a".to_owned(), sealed: vec![0; 60] };
        assert!(matches!(say(&mut conversation, Kind::Output, &output), Ok(Some(Said::Output(_)))));
        assert!(matches!(say(&mut conversation, Kind::Output, &output), Err(Broken::TooMuch)));
    }

    #[test]
    fn detail_passes_over_dummy_data_only() {
        let done =
            message::Done { usage: None, developer: Some(message::DeveloperDetail::default()) };
        assert!(matches!(say(&mut confined(false), Kind::Done, &done), Err(Broken::Talks)));
        let said = say(&mut confined(true), Kind::Done, &done);
        assert!(matches!(said, Ok(Some(Said::Done { developer: Some(_), .. }))));
    }

    #[test]
    fn a_failure_has_a_class_and_a_plain_code() {
        let failed = |class: v1::FailureClass, code: &str| message::Failed {
            class: class.into(),
            code: code.to_owned(),
            ..message::Failed::default()
        };
        let class = v1::FailureClass::ModuleError;
        let good = say(&mut confined(false), Kind::Failed, &failed(class, "guest.trap"));
        assert!(matches!(good, Ok(Some(Said::Failed(_)))));
        for bad in [
            failed(v1::FailureClass::Unspecified, "guest.trap"),
            failed(class, ""),
            failed(class, "Patient 17"),
            failed(class, &"a".repeat(65)),
        ] {
            let said = say(&mut confined(false), Kind::Failed, &bad);
            assert!(matches!(said, Err(Broken::Unreadable)), "{bad:?}");
        }
    }

    #[test]
    fn frames_of_the_supervisor_are_refused() {
        let mut conversation = confined(false);
        conversation.push(&[Kind::Job as u8, 1, 0, 0, 0]);
        assert_eq!(conversation.next().err(), Some(Broken::TooLong));
    }
}
