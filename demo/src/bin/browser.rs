//! The demo's stand-in for a browser: opens the sign-in page, fills in the form as the
//! person in `SEKISHO_DEMO_USER` and `SEKISHO_DEMO_PASSWORD`, follows the redirect.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use sekisho_demo::browser::sign_in;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let url = env::args().nth(1).ok_or("expected a URL")?;
    let user = env::var("SEKISHO_DEMO_USER")?;
    let password = env::var("SEKISHO_DEMO_PASSWORD")?;
    let page = sign_in(&url, &user, &password).await?;
    writeln!(io::stdout(), "{page}")?;
    Ok(())
}
