//! Asks whatever a test wants to know.

use std::fmt::Write as _;

use sekisho_analysis::{Answer, Argument, Values};

sekisho_analysis::analysis!("analysis.toml");

fn run(view: &View, parameters: &Parameters, out: &mut Outputs) -> Result<(), String> {
    let argument = [Argument::from(parameters.argument)];
    let arguments = if parameters.sql.contains("$1") { &argument[..] } else { &[] };
    let (mut kept, mut text, mut rows) = (Vec::new(), String::new(), 0);
    for _ in 0..parameters.times {
        let mut answer = view.query(&parameters.sql, arguments)?;
        if parameters.keep {
            kept.push(answer);
        } else {
            rows += tell(&mut answer, parameters.tell, &mut text)?;
        }
    }
    out.found = vec![FoundRow { rows: rows.into() }];
    if parameters.tell { Err(text) } else { Ok(()) }
}

/// Counts the rows of an answer; writes them if wanted, one a line.
fn tell(answer: &mut Answer, write: bool, text: &mut String) -> Result<i64, String> {
    let mut count = 0;
    while let Some(found) = answer.next() {
        count += found.rows as i64;
        for row in 0..if write { found.rows } else { 0 } {
            for (name, values) in &found.columns {
                let value = match values {
                    Values::Codes(v) => match v.get(row) {
                        Some(code) => Some(answer.texts(name)?[code as usize].clone()),
                        None => None,
                    },
                    Values::Ints(v) => v.get(row).map(|v| v.to_string()),
                    Values::Floats(v) => v.get(row).map(|v| format!("{v:?}")),
                    Values::Dates(v) => v.get(row).map(|v| format!("d{v}")),
                    Values::Patients(v) => v.get(row).map(|v| format!("p{v}")),
                };
                let _ = write!(text, "{} ", value.as_deref().unwrap_or("-"));
            }
            text.push('\n');
        }
    }
    Ok(count)
}
