//! Calls whose very existence is secret (RI-2): to whoever may not know of them they are
//! answered by the same code as a call to a method that does not exist.

use http::{Request, Uri};

/// Methods of this service are hidden.
const SERVICE: &str = "/sekisho.v1.ReidentificationService/";
/// A path that no service has.
const NOWHERE: &str = "/sekisho.v1.NoService/NoMethod";
/// The files of the contract that tell of it: its own, and the one of workers, who trace.
const FILES: [&str; 2] = ["sekisho/v1/reidentification.proto", "sekisho/v1/worker.proto"];

/// Whether `method` is one that not everybody may know of.
pub(crate) fn is_hidden(method: &str) -> bool {
    method.starts_with(SERVICE)
}

/// Sends a call where every unknown method goes.
pub(crate) fn send_nowhere<B>(request: &mut Request<B>) {
    *request.uri_mut() = Uri::from_static(NOWHERE);
}

/// The contract as reflection may tell it to anybody.
pub(crate) fn told(mut set: prost_types::FileDescriptorSet) -> prost_types::FileDescriptorSet {
    set.file.retain(|file| !FILES.contains(&file.name()));
    set
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn ri_2_reflection_does_not_tell_of_what_is_hidden() {
        let set = prost_types::FileDescriptorSet::decode(sekisho_proto::FILE_DESCRIPTOR_SET);
        let names = |set: &prost_types::FileDescriptorSet| {
            let services = set.file.iter().flat_map(|file| &file.service);
            services.map(|one| format!("/sekisho.v1.{}/", one.name())).collect::<Vec<_>>()
        };
        let set = set.unwrap();
        assert!(names(&set).iter().any(|name| is_hidden(name)));
        let told = told(set);
        let words = format!("{told:?}").to_lowercase();
        for word in ["reidentif", "trace"] {
            assert!(!words.contains(word), "{word}");
        }
        assert!(!names(&told).iter().any(|name| is_hidden(name)));
        assert!(names(&told).len() > 5);
    }
}
