//! Lists arrive in pages; a person wants them whole.

use std::future::Future;

use crate::error::CliError;

/// Page size asked for; the contract's maximum.
pub(crate) const PAGE: u32 = 100;

/// Calls `fetch` with each page token until there is no next page.
///
/// # Errors
/// The first error of `fetch`, or a gateway that repeats a page token.
pub(crate) async fn every_page<T, F, Fut>(mut fetch: F) -> Result<Vec<T>, CliError>
where
    F: FnMut(String) -> Fut,
    Fut: Future<Output = Result<(Vec<T>, String), CliError>>,
{
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let (items, next) = fetch(token.clone()).await?;
        all.extend(items);
        if next.is_empty() {
            return Ok(all);
        }
        if next == token {
            return Err(CliError::Contract("a page token that moves on"));
        }
        token = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_are_joined_in_order() {
        let all = every_page(|token| async move {
            Ok(match token.as_str() {
                "" => (vec![1, 2], "a".to_owned()),
                _ => (vec![3], String::new()),
            })
        })
        .await
        .expect("pages");
        assert_eq!(all, vec![1, 2, 3]);
    }

    #[tokio::test]
    async fn a_token_that_repeats_ends_in_an_error_not_a_loop() {
        let result = every_page(|_| async { Ok((vec![0_u8], "same".to_owned())) }).await;
        assert!(result.is_err());
    }
}
