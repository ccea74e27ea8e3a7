//! The file behind `sekisho steward dataset register`: ingest's catalogue entry.

use std::{fs, path::Path};

use sekisho_dataset::{CatalogueColumn, CatalogueEntry, CatalogueTable};
use sekisho_proto::v1::{
    Coverage, Dataset, DatasetColumn, DatasetTable, QuickCell, QuickCounts, RegisterDatasetRequest,
};

use crate::error::CliError;

/// Reads a catalogue entry as ingest writes it.
///
/// # Errors
/// Fails when the file is missing or malformed.
pub(crate) fn read(path: &Path) -> Result<RegisterDatasetRequest, CliError> {
    let malformed = |what: String| CliError::Input(format!("{}: {what}", path.display()));
    let text = fs::read_to_string(path).map_err(CliError::file(path))?;
    let entry: CatalogueEntry =
        serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
    let manifest_sha256 = hex::decode(&entry.manifest_sha256)
        .map_err(|_| malformed("manifest_sha256 is not hexadecimal".to_owned()))?;
    let terms = entry.terms.unwrap_or_default();
    Ok(RegisterDatasetRequest {
        manifest_sha256,
        profile_toml: entry.profile_toml,
        dataset: Some(Dataset {
            dataset_id: entry.dataset,
            version: entry.version,
            title_ja: entry.title.ja,
            title_en: entry.title.en,
            description_ja: entry.description.ja,
            description_en: entry.description.en,
            tables: entry.tables.into_iter().map(table).collect(),
            patients_rounded: entry.patients,
            licence: entry.licence,
            holds: entry.holds.name().to_owned(),
            database: entry.database,
            id_space: entry.id_space,
            min_cell: entry.min_cell,
            next_update: entry.next_update.unwrap_or_default(),
            // Found by the gateway.
            overdue: false,
            terms_ja: terms.ja,
            terms_en: terms.en,
            registered_at: None,
        }),
    })
}

fn table(table: CatalogueTable) -> DatasetTable {
    DatasetTable {
        name: table.name,
        description_ja: table.description.ja,
        description_en: table.description.en,
        columns: table.columns.into_iter().map(column).collect(),
        rows_rounded: table.rows,
        coverage: table.coverage.into_iter().map(coverage).collect(),
        quick_counts: table.quick_counts.map(quick_counts),
    }
}

fn quick_counts(counts: sekisho_dataset::QuickCounts) -> QuickCounts {
    let cells = counts.cells.into_iter();
    let cells = cells.map(|cell| QuickCell { codes: cell.codes, patients_rounded: cell.patients });
    QuickCounts { columns: counts.columns, cells: cells.collect() }
}

fn coverage(coverage: sekisho_dataset::Coverage) -> Coverage {
    Coverage {
        year: coverage.year.into(),
        patients_rounded: coverage.patients,
        rows_rounded: coverage.rows,
    }
}

fn column(column: CatalogueColumn) -> DatasetColumn {
    DatasetColumn {
        name: column.name,
        kind: column.kind.name().to_owned(),
        unit: column.unit.unwrap_or_default(),
        nullable: column.nullable,
        missing_percent: column.missing_percent.into(),
        code_system: column.code_system.unwrap_or_default(),
        token: column.token,
        description_ja: column.description.ja,
        description_en: column.description.en,
    }
}
