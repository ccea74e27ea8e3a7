//! What each command does.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use indicatif::ProgressDrawTarget;
use jiff::Timestamp;
use sekisho_dataset::{Profile, SealOptions, SealedVersion};
use sekisho_ingest::{
    Format, IdentifiedZone, Ingest, IngestError, Inquiry, Intake, IntakeLists, PersonList,
    Progress, Silent, Summary, check_apart, day_in_japan, verify_report, write_catalogue,
};
use sekisho_vault::{ReceivingPublic, VerifyingIdentity};
use serde_json::{Value, json};

use crate::args::{
    DeletionArgs, EhrArgs, FilesArgs, Folders, ReceiptArgs, ReidentifyArgs, RejectsArgs,
    ReportArgs, SourceArgs, Target, VerifyArgs,
};
use crate::show::{Bar, harmless, list_text, summary_text, to_json, totals_text};

/// How the program was started.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    /// The present, read once.
    pub(crate) now: Timestamp,
    /// Nobody looks at progress.
    pub(crate) quiet: bool,
}

impl Call {
    fn zone(self, folder: &Path) -> Result<IdentifiedZone, IngestError> {
        IdentifiedZone::open(folder, day_in_japan(self.now))
    }
}

/// What a command tells, in both forms.
pub(crate) struct Done {
    pub(crate) text: String,
    pub(crate) json: Value,
}

pub(crate) fn init(folders: &Folders, call: Call) -> Result<Done, IngestError> {
    ReceivingPublic::load(&folders.receiver)?;
    let zone = IdentifiedZone::init(&folders.zone, day_in_japan(call.now))?;
    let public = zone.verifying_file();
    let hex = zone.identity().verifying().to_hex();
    Ok(Done {
        text: format!("Ready. Workers verify manifests with {} ({hex})", public.display()),
        json: json!({
            "verify_key_file": public,
            "verify_key_hex": hex,
            "receiving_key_file": zone.receiving_file(),
        }),
    })
}

pub(crate) fn files(format: Format, args: &FilesArgs, call: Call) -> Result<Done, IngestError> {
    source(format, &args.source, &profile(&args.source.profile)?, &args.tables, call)
}

pub(crate) fn receipt(args: &ReceiptArgs, call: Call) -> Result<Done, IngestError> {
    let profile = profile(&args.source.profile)?;
    source(Format::Receipt, &args.source, &profile, &all_in(&profile, &args.file), call)
}

/// One file for all tables.
fn all_in(profile: &Profile, file: &Path) -> Vec<(String, PathBuf)> {
    profile.tables.iter().map(|table| (table.name.clone(), file.to_owned())).collect()
}

fn profile(file: &Path) -> Result<Profile, IngestError> {
    Ok(Profile::parse(&read(file, "reading the profile")?)?)
}

fn read(file: &Path, doing: &'static str) -> Result<String, IngestError> {
    let path = file.to_owned();
    fs::read_to_string(file).map_err(|source| IngestError::Io { path, doing, source })
}

pub(crate) fn reidentify(args: &ReidentifyArgs, call: Call) -> Result<Done, IngestError> {
    let zone = call.zone(&args.zone)?;
    let key = read(&args.gateway_key, "reading the gateway's key")?;
    let inquiry = Inquiry::open(&zone, &args.order, &VerifyingIdentity::from_hex(&key)?)?;
    let intake = Intake {
        encoding: args.encoding,
        lists: IntakeLists {
            // Notices are about taking in; this source was.
            notices: PersonList::NoList,
            notice_days: 0,
            optouts: args.optouts.clone().map_or(PersonList::NoList, PersonList::File),
            encoding: args.encoding,
        },
        max_rejected: 0.0,
        resume: false,
    };
    let profile = profile(&args.profile)?;
    let today = day_in_japan(call.now);
    let tables = match &args.file {
        Some(file) => all_in(&profile, file),
        None => args.tables.clone(),
    };
    let found = inquiry.look_up(&zone, args.format, &profile, &tables, &intake, today)?;
    let mut json = to_json(&found);
    let (case, disclosed, kept) = (&found.case_number, found.found, found.not_disclosed);
    let mut text = format!("Case {case}: {disclosed} person(s) found, {kept} not disclosed");
    if found.unreadable_rows > 0 {
        let rows = found.unreadable_rows;
        text.push_str(&format!("\n{rows} row(s) name no person that can be read"));
    }
    if args.show {
        text.push_str(&format!("\n{}", found.ids.join("\n")));
        if let Some(object) = json.as_object_mut() {
            object.insert("ids".to_owned(), json!(found.ids));
        }
    } else {
        let file = found.seal(&zone)?;
        text.push_str(&format!("\nSealed in {}", file.display()));
    }
    Ok(Done { text, json })
}

fn source(
    format: Format,
    args: &SourceArgs,
    profile: &Profile,
    tables: &[(String, PathBuf)],
    call: Call,
) -> Result<Done, IngestError> {
    let intake = Intake {
        encoding: args.encoding,
        lists: IntakeLists {
            notices: PersonList::said("notices", args.notices.clone(), args.no_notices)?,
            notice_days: args.notice_days,
            optouts: PersonList::said("optouts", args.optouts.clone(), args.no_optouts)?,
            encoding: args.encoding,
        },
        max_rejected: args.max_rejected,
        resume: args.resume,
    };
    ingest(&args.target, call, |ingest, progress| {
        ingest.source(format, profile, tables, &intake, progress)
    })
}

pub(crate) fn report(args: &ReportArgs) -> Result<Done, IngestError> {
    let report = verify_report(&args.file, &VerifyingIdentity::load(&args.signer)?)?;
    let mut text = format!(
        "Signed by the identified zone. {} {}: {} person(s) stayed out, {} of them found sealed",
        report.dataset, report.version, report.excluded_persons, report.survivors
    );
    for list in &report.lists {
        text.push_str(&format!("\n  {}", list_text(list)));
    }
    for table in &report.tables {
        text.push_str(&format!("\n  {:20} {}", table.table, totals_text(&table.totals)));
    }
    for request in &report.deletions {
        let (reference, rows) = (&request.reference, request.rows);
        text.push_str(&format!("\n  deletion {reference}: {rows} row(s) kept out"));
    }
    Ok(Done { text, json: to_json(&report) })
}

pub(crate) fn rejects(args: &RejectsArgs, call: Call) -> Result<Done, IngestError> {
    let rows = call.zone(&args.zone)?.rejected(&args.file)?;
    let mut text = format!("{} rejected row(s)", rows.len());
    for row in &rows {
        for (code, column, reason) in &row.errors {
            text.push_str(&format!(
                "\n  {} line {} column {}: {} [{code}]",
                row.table,
                row.line,
                harmless(column),
                harmless(reason)
            ));
        }
        text.push_str(&format!("\n    {}", harmless(&row.fields.join(","))));
    }
    Ok(Done { text, json: to_json(&rows) })
}

pub(crate) fn reidentified(args: &RejectsArgs, call: Call) -> Result<Done, IngestError> {
    let ids = call.zone(&args.zone)?.reidentified(&args.file)?;
    let text = format!("{} person(s)\n{}", ids.len(), ids.join("\n"));
    Ok(Done { text, json: json!({ "ids": ids }) })
}

pub(crate) fn init_deletions(zone: &Path, call: Call) -> Result<Done, IngestError> {
    call.zone(zone)?.create_register()?;
    let text = "Made an empty register of deletion requests.".to_owned();
    Ok(Done { text, json: json!({ "requests": 0 }) })
}

pub(crate) fn add_deletion(args: &DeletionArgs, call: Call) -> Result<Done, IngestError> {
    let zone = call.zone(&args.zone)?;
    let content = sekisho_vault::read_private_file(&args.id_file)?;
    let id = args.encoding.decode_id(&content)?;
    let parts: Vec<&str> = id.lines().filter(|line| !line.trim().is_empty()).collect();
    let profile = args.profile.as_deref().map(profile).transpose()?;
    let id_space = profile.as_ref().map(|profile| profile.id_space.clone());
    let id_space = id_space.or_else(|| args.id_space.clone()).unwrap_or_default();
    if !args.new_id_space {
        zone.check_id_space(&id_space)?;
    }
    if parts.is_empty() {
        return Err(IngestError::NoId);
    }
    zone.check_id_parts(&id_space, profile.as_ref(), parts.len())?;
    zone.record_deletion(&id_space, &parts, &args.reference, args.received_on)?;
    let reference = &args.reference;
    Ok(Done {
        text: format!("Recorded {reference}. It takes effect in the next version of {id_space}."),
        json: json!({ "recorded": reference, "id_space": id_space }),
    })
}

pub(crate) fn list_deletions(zone: &Path, call: Call) -> Result<Done, IngestError> {
    let register = call.zone(zone)?.deletions()?;
    let mut text = format!("{} deletion request(s)", register.requests().len());
    for request in register.requests() {
        let (on, space) = (&request.received_on, &request.id_space);
        text.push_str(&format!("\n  {on}  {:20} {space}", request.reference));
    }
    let listed = register.requests().iter().map(|request| {
        let (on, space) = (&request.received_on, &request.id_space);
        json!({ "reference": request.reference, "received_on": on, "id_space": space })
    });
    Ok(Done { text, json: listed.collect() })
}

pub(crate) fn generate_ehr(args: &EhrArgs, call: Call) -> Result<Done, IngestError> {
    let make = |ingest: &Ingest<'_>, progress: &mut dyn Progress| {
        ingest.synthetic_ehr(args.patients, args.seed, progress)
    };
    ingest(&args.target, call, make)
}

fn ingest(
    target: &Target,
    call: Call,
    make: impl FnOnce(&Ingest<'_>, &mut dyn Progress) -> Result<Summary, IngestError>,
) -> Result<Done, IngestError> {
    let folders = &target.folders;
    check_apart(&[&folders.zone, &target.out])?;
    let zone = call.zone(&folders.zone)?;
    let receiver = ReceivingPublic::load(&folders.receiver)?;
    let ingest = Ingest {
        zone: &zone,
        receiver: &receiver,
        out: &target.out,
        options: SealOptions { version: target.version.clone(), buckets: target.buckets },
        now: call.now,
    };
    let summary = if call.quiet || !io::stderr().is_terminal() {
        make(&ingest, &mut Silent)?
    } else {
        make(&ingest, &mut Bar::on(ProgressDrawTarget::stderr))?
    };
    Ok(Done { text: summary_text(&summary), json: to_json(&summary) })
}

pub(crate) fn verify(args: &VerifyArgs) -> Result<Done, IngestError> {
    let version = SealedVersion::open(&args.folder, &VerifyingIdentity::load(&args.signer)?)?;
    version.verify_files()?;
    let catalogue = write_catalogue(&args.folder, &version.catalogue_entry())?;
    let sha256 = version.manifest_sha256();
    Ok(Done {
        text: format!("Every file is as signed. Catalogue entry: {}", catalogue.display()),
        json: json!({ "intact": true, "catalogue": catalogue, "manifest_sha256": sha256 }),
    })
}
