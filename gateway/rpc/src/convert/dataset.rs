//! Dataset versions.

use sekisho_access::linkage::Opens;
use sekisho_app::{catalogue::PatientCount, linkage::LinkageState};
use sekisho_domain::{
    Dataset, Timestamp,
    dataset::{
        Bilingual, Coverage, DatasetColumn, DatasetTable, InformationKind, QuickCell, QuickCounts,
    },
};
use sekisho_proto::v1;

use super::{Invalid, Shown, field, invalid, time::stamp};
use crate::limits::{COLUMNS, LIST, NAME_CHARS, PROFILE_BYTES};

/// Kinds a column may have.
const KINDS: [&str; 5] = ["patient", "code", "int", "float", "date"];

/// A version to be published, registered at `now`.
pub(crate) fn dataset(
    request: v1::RegisterDatasetRequest,
    now: Timestamp,
) -> Result<Dataset, Invalid> {
    let message = field::required(request.dataset, "dataset")?;
    let manifest_sha256 = hex::encode(field::hash(&request.manifest_sha256, "manifest_sha256")?);
    Ok(Dataset {
        dataset_id: slug(message.dataset_id, "dataset.dataset_id")?,
        version: slug(message.version, "dataset.version")?,
        title: Bilingual {
            ja: field::name(message.title_ja, "dataset.title_ja")?,
            en: field::name(message.title_en, "dataset.title_en")?,
        },
        description: bilingual(message.description_ja, message.description_en, "dataset")?,
        tables: field::list(message.tables, "dataset.tables", LIST, table)?,
        patients_rounded: message.patients_rounded,
        holds: information(&message.holds)?,
        database: field::one_line(message.database, "dataset.database", NAME_CHARS)?,
        id_space: field::one_line(message.id_space, "dataset.id_space", NAME_CHARS)?,
        min_cell: message.min_cell,
        next_update: field::one_line(message.next_update, "dataset.next_update", NAME_CHARS)?,
        overdue_since: None,
        terms: Bilingual {
            ja: field::comment(message.terms_ja, "dataset.terms_ja")?,
            en: field::comment(message.terms_en, "dataset.terms_en")?,
        },
        licence: field::comment(message.licence, "dataset.licence")?,
        profile_toml: field::bounded(request.profile_toml, "profile_toml", PROFILE_BYTES)?,
        manifest_sha256,
        registered_at: now,
    })
}

/// The kind of information; unset means pseudonymised, which allows less.
fn information(name: &str) -> Result<InformationKind, Invalid> {
    if name.is_empty() {
        return Ok(InformationKind::default());
    }
    let message = "must be pseudonymised_info or anonymised_info";
    InformationKind::named(name)
        .ok_or_else(|| invalid("UNKNOWN_VALUE", "dataset.holds", message.to_owned()))
}

/// Ids of datasets and their versions become parts of paths.
fn slug(text: String, field: &str) -> Result<String, Invalid> {
    let text = field::name(text, field)?;
    let fits = text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if fits {
        Ok(text)
    } else {
        Err(invalid(
            "MALFORMED_ID",
            field,
            "may have 64 letters, digits, and - _ . after the first",
        ))
    }
}

fn bilingual(ja: String, en: String, field: &str) -> Result<Bilingual, Invalid> {
    Ok(Bilingual {
        ja: field::comment(ja, &format!("{field}.description_ja"))?,
        en: field::comment(en, &format!("{field}.description_en"))?,
    })
}

fn table(table: v1::DatasetTable, field: &str) -> Result<DatasetTable, Invalid> {
    Ok(DatasetTable {
        name: field::name(table.name, &format!("{field}.name"))?,
        description: bilingual(table.description_ja, table.description_en, field)?,
        columns: field::list(table.columns, &format!("{field}.columns"), COLUMNS, column)?,
        rows_rounded: table.rows_rounded,
        coverage: field::list(table.coverage, &format!("{field}.coverage"), LIST, coverage)?,
        quick_counts: table
            .quick_counts
            .map(|counts| quick_counts(counts, &format!("{field}.quick_counts")))
            .transpose()?,
    })
}

/// Most cells of one table.
const QUICK_CELLS: usize = 10_000;

fn quick_counts(counts: v1::QuickCounts, field: &str) -> Result<QuickCounts, Invalid> {
    let columns = field::list(counts.columns, &format!("{field}.columns"), LIST, |name, field| {
        field::name(name, field)
    })?;
    let cell = |cell: v1::QuickCell, field: &str| {
        if cell.codes.len() != columns.len() {
            return Err(invalid("WRONG_LENGTH", field, "needs a code for each column"));
        }
        let codes = cell.codes.into_iter();
        let codes = codes.map(|code| field::one_line(code, field, NAME_CHARS));
        Ok(QuickCell { codes: codes.collect::<Result<_, _>>()?, patients: cell.patients_rounded })
    };
    let cells = field::list(counts.cells, &format!("{field}.cells"), QUICK_CELLS, cell)?;
    Ok(QuickCounts { columns, cells })
}

fn coverage(coverage: v1::Coverage, _: &str) -> Result<Coverage, Invalid> {
    let v1::Coverage { year, patients_rounded, rows_rounded } = coverage;
    Ok(Coverage { year, patients: patients_rounded, rows: rows_rounded })
}

fn column(column: v1::DatasetColumn, field: &str) -> Result<DatasetColumn, Invalid> {
    if !KINDS.contains(&column.kind.as_str()) {
        let message = format!("must be one of {}", KINDS.join(", "));
        return Err(invalid("UNKNOWN_VALUE", format!("{field}.kind"), message));
    }
    Ok(DatasetColumn {
        name: field::name(column.name, &format!("{field}.name"))?,
        kind: column.kind,
        unit: field::one_line(column.unit, &format!("{field}.unit"), NAME_CHARS)?,
        nullable: column.nullable,
        missing_percent: column.missing_percent.min(100),
        code_system: field::one_line(
            column.code_system,
            &format!("{field}.code_system"),
            NAME_CHARS,
        )?,
        token: column.token,
        description: bilingual(column.description_ja, column.description_en, field)?,
    })
}

impl Shown for Dataset {
    type Message = v1::Dataset;

    fn message(self) -> v1::Dataset {
        let column = |column: DatasetColumn| v1::DatasetColumn {
            name: column.name,
            kind: column.kind,
            unit: column.unit,
            nullable: column.nullable,
            missing_percent: column.missing_percent,
            code_system: column.code_system,
            token: column.token,
            description_ja: column.description.ja,
            description_en: column.description.en,
        };
        let year = |coverage: Coverage| v1::Coverage {
            year: coverage.year,
            patients_rounded: coverage.patients,
            rows_rounded: coverage.rows,
        };
        let table = |table: DatasetTable| v1::DatasetTable {
            name: table.name,
            description_ja: table.description.ja,
            description_en: table.description.en,
            columns: table.columns.into_iter().map(column).collect(),
            rows_rounded: table.rows_rounded,
            coverage: table.coverage.into_iter().map(year).collect(),
            // Asked about one by one, under a budget.
            quick_counts: table
                .quick_counts
                .map(|counts| v1::QuickCounts { columns: counts.columns, cells: Vec::new() }),
        };
        v1::Dataset {
            dataset_id: self.dataset_id,
            version: self.version,
            title_ja: self.title.ja,
            title_en: self.title.en,
            description_ja: self.description.ja,
            description_en: self.description.en,
            tables: self.tables.into_iter().map(table).collect(),
            patients_rounded: self.patients_rounded,
            licence: self.licence,
            holds: self.holds.name().to_owned(),
            database: self.database,
            id_space: self.id_space,
            min_cell: self.min_cell,
            next_update: self.next_update,
            overdue: self.overdue_since.is_some(),
            terms_ja: self.terms.ja,
            terms_en: self.terms.en,
            registered_at: Some(stamp(self.registered_at)),
        }
    }
}

impl Shown for LinkageState {
    type Message = v1::LinkageRule;

    fn message(self) -> v1::LinkageRule {
        v1::LinkageRule {
            rule_id: self.rule.id,
            holds: self.rule.holds.name().to_owned(),
            between: self.rule.between.into_iter().collect(),
            and: self.rule.and.into_iter().collect(),
            by_steward: self.rule.opens == Opens::BySteward,
            opens_at: self.opens_at.map(stamp),
            open: self.open,
            source: self.rule.source,
        }
    }
}

impl Shown for PatientCount {
    type Message = v1::CountPatientsResponse;

    fn message(self) -> v1::CountPatientsResponse {
        v1::CountPatientsResponse {
            version: self.version,
            patients_rounded: self.patients,
            min_cell: self.min_cell,
            questions_left: self.questions_left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> v1::RegisterDatasetRequest {
        let column = v1::DatasetColumn {
            name: "time".to_owned(),
            kind: "int".to_owned(),
            unit: "day".to_owned(),
            ..Default::default()
        };
        let table = v1::DatasetTable {
            name: "lung".to_owned(),
            columns: vec![column],
            rows_rounded: 230,
            coverage: vec![v1::Coverage {
                year: 2024,
                patients_rounded: Some(200),
                rows_rounded: None,
            }],
            quick_counts: Some(v1::QuickCounts {
                columns: vec!["sex".to_owned()],
                cells: vec![v1::QuickCell { codes: vec!["1".to_owned()], patients_rounded: 130 }],
            }),
            ..Default::default()
        };
        v1::RegisterDatasetRequest {
            dataset: Some(v1::Dataset {
                dataset_id: "lung".to_owned(),
                version: "v1".to_owned(),
                title_ja: "肺がん".to_owned(),
                title_en: "Lung cancer".to_owned(),
                tables: vec![table],
                patients_rounded: 230,
                holds: "anonymised_info".to_owned(),
                database: "jisedai".to_owned(),
                id_space: "site".to_owned(),
                min_cell: 10,
                next_update: "2027-04-01".to_owned(),
                terms_en: "Research only".to_owned(),
                ..Default::default()
            }),
            profile_toml: "id = 'lung'".to_owned(),
            manifest_sha256: vec![7; 32],
        }
    }

    #[test]
    fn a_version_round_trips() {
        let now = Timestamp::from_millis(5000);
        let parsed = dataset(request(), now).unwrap();
        assert_eq!(parsed.manifest_sha256, "07".repeat(32));
        let mut expected = request().dataset.unwrap();
        expected.registered_at = Some(stamp(now));
        // Cells are asked about one by one.
        expected.tables[0].quick_counts.as_mut().unwrap().cells.clear();
        assert_eq!(parsed.message(), expected);
    }

    #[test]
    fn what_cannot_be_a_path_or_a_kind_is_refused() {
        let change = |f: fn(&mut v1::Dataset)| {
            let mut request = request();
            f(request.dataset.as_mut().unwrap());
            dataset(request, Timestamp::from_millis(0)).unwrap_err().code
        };
        assert_eq!(change(|d| d.dataset_id = "../etc".to_owned()), "MALFORMED_ID");
        assert_eq!(change(|d| d.version = ".hidden".to_owned()), "MALFORMED_ID");
        assert_eq!(change(|d| d.dataset_id = "x".repeat(65)), "MALFORMED_ID");
        assert_eq!(change(|d| d.tables[0].columns[0].kind = "text".to_owned()), "UNKNOWN_VALUE");
        assert_eq!(
            change(|d| d.tables[0].quick_counts.as_mut().unwrap().cells[0].codes.clear()),
            "WRONG_LENGTH"
        );
        assert_eq!(change(|d| d.holds = "raw".to_owned()), "UNKNOWN_VALUE");
        assert_eq!(change(|d| d.title_ja = String::new()), "REQUIRED");
        let hash = v1::RegisterDatasetRequest { manifest_sha256: vec![1], ..request() };
        assert_eq!(dataset(hash, Timestamp::from_millis(0)).unwrap_err().code, "MALFORMED_HASH");
    }
}
