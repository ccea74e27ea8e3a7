//! What the frames carry. Both ends are built from this crate in one release, so this is no
//! contract for others and has no proto file.

use sekisho_bring_in::Files;
use sekisho_proto::v1;
use zeroize::Zeroize as _;

/// How the runner shall confine itself.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Confine {
    /// Absolute paths of the data set versions' folders.
    #[prost(string, repeated, tag = "1")]
    pub(crate) datasets: Vec<String>,
    /// Names of controls the site does without.
    #[prost(string, repeated, tag = "2")]
    pub(crate) lowered: Vec<String>,
    /// Private writable memory, bytes.
    #[prost(uint64, tag = "3")]
    pub(crate) data_bytes: u64,
    /// Process id of the supervisor.
    #[prost(int32, tag = "4")]
    pub(crate) supervisor: i32,
}

/// A module to be compiled.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Compile {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) component: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(crate) manifest: String,
    /// Of the runs it is compiled for.
    #[prost(message, optional, tag = "3")]
    pub(crate) limits: Option<v1::RunLimits>,
    #[prost(bool, tag = "4")]
    pub(crate) dummy: bool,
}

/// Everything the runner needs to know, keys included.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Job {
    #[prost(message, optional, tag = "1")]
    pub(crate) ticket: Option<v1::RunTicket>,
    #[prost(string, tag = "2")]
    pub(crate) manifest: String,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) code: Vec<u8>,
    /// For each folder, in the same order.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub(crate) granted_keys: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) output_key: Vec<u8>,
    /// Public key of whoever sealed the data set, in hexadecimal.
    #[prost(string, tag = "6")]
    pub(crate) ingest_key: String,
    #[prost(bool, tag = "7")]
    pub(crate) dummy: bool,
    /// Public receiving key that a trace is sealed for, as text; empty for none.
    #[prost(string, tag = "8")]
    pub(crate) receiver: String,
    #[prost(message, repeated, tag = "9")]
    pub(crate) bring_ins: Vec<BringIn>,
    #[prost(bytes = "vec", tag = "10")]
    pub(crate) order_key: Vec<u8>,
}

/// A brought-in table as its two files.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BringIn {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) description: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) csv: Vec<u8>,
}

impl From<&Files> for BringIn {
    fn from(files: &Files) -> Self {
        Self { description: files.description.clone(), csv: files.csv.clone() }
    }
}

impl From<BringIn> for Files {
    fn from(sent: BringIn) -> Self {
        Self { description: sent.description, csv: sent.csv }
    }
}

impl Job {
    /// Wipes what must not stay in memory.
    pub(crate) fn wipe(&mut self) {
        self.granted_keys.zeroize();
        self.output_key.zeroize();
        self.order_key.zeroize();
    }
}

/// The jail is in force.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Confined {
    #[prost(string, tag = "1")]
    pub(crate) jail: String,
}

/// The jail cannot be entered.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Refused {
    /// Stable code.
    #[prost(string, tag = "1")]
    pub(crate) code: String,
    /// For the administrator of the host.
    #[prost(string, tag = "2")]
    pub(crate) reason: String,
}

/// Tenths of the rows scanned.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Progress {
    #[prost(uint32, tag = "1")]
    pub(crate) tenths: u32,
}

/// All outputs are sent.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Done {
    #[prost(message, optional, tag = "1")]
    pub(crate) usage: Option<v1::RunUsage>,
    #[prost(message, optional, tag = "2")]
    pub(crate) developer: Option<DeveloperDetail>,
}

/// The run failed.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Failed {
    #[prost(enumeration = "v1::FailureClass", tag = "1")]
    pub(crate) class: i32,
    /// Stable code made by the host.
    #[prost(string, tag = "2")]
    pub(crate) code: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) usage: Option<v1::RunUsage>,
    #[prost(message, optional, tag = "4")]
    pub(crate) developer: Option<DeveloperDetail>,
}

/// Detail for the author of a module, over dummy data only.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DeveloperDetail {
    #[prost(string, repeated, tag = "1")]
    pub(crate) messages: Vec<String>,
    #[prost(uint64, tag = "2")]
    pub(crate) failed_patients: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) fuel_used: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) peak_memory_bytes: u64,
}
