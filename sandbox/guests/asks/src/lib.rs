//! Asks whatever a test wants to know: it writes its query over the place for it in the
//! component.

use std::fmt::Write as _;

use sekisho_analysis::{Answer, Argument, Values};

sekisho_analysis::analysis!("analysis.toml");

/// What tests look for; spaces follow.
const PLACE: &[u8; 16] = b"SELECT 1 AS one ";
const PLACE_BYTES: usize = 40_000;

static SQL: [u8; PLACE_BYTES] = place();

const fn place() -> [u8; PLACE_BYTES] {
    let (mut sql, mut at) = ([b' '; PLACE_BYTES], 0);
    while at < PLACE.len() {
        sql[at] = PLACE[at];
        at += 1;
    }
    sql
}

fn run(view: &View, parameters: &Parameters, out: &mut Outputs) -> Result<(), String> {
    // The compiler must not know what stands there.
    let sql = String::from_utf8_lossy(std::hint::black_box(&SQL)).trim_end().to_owned();
    let argument = [Argument::from(parameters.argument)];
    let arguments = if sql.contains("$1") { &argument[..] } else { &[] };
    let (mut kept, mut text, mut rows) = (Vec::new(), String::new(), 0);
    for _ in 0..parameters.times {
        let mut answer = view.query(&sql, arguments)?;
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
