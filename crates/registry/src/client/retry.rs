//! When to try again, and when not.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::Patience;
use crate::error::Error;

/// Counts attempts without progress.
#[derive(Debug)]
pub(super) struct Attempts {
    patience: Patience,
    failed: u32,
}

impl Attempts {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            failed: 0,
        }
    }

    /// Something came: the count begins anew.
    pub(super) fn progress(&mut self) {
        self.failed = 0;
    }

    /// Waits before the next attempt, or gives the error back if there is to be none.
    pub(super) async fn again(&mut self, error: Error) -> Result<(), Error> {
        self.failed += 1;
        if !error.is_transient() || self.failed >= self.patience.attempts {
            return Err(error);
        }
        let asked = error.retry_after.unwrap_or_default();
        let pause = self.pause().max(asked).min(self.patience.longest);
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Twice as long each time, and between half and all of it, so that many who failed at once don't come back at once.
    fn pause(&self) -> Duration {
        let doubled = self.patience.pause * 2_u32.pow(self.failed.min(10) - 1);
        let mut random = [0];
        // Without randomness the pause is the whole one.
        let part = match SystemRandom::new().fill(&mut random) {
            Ok(()) => u32::from(random[0]) + 256,
            Err(_) => 511,
        };
        doubled * part / 511
    }
}

/// How long a server asks to wait: seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    let wait = date.timestamp().duration_since(jiff::Timestamp::now());
    Duration::try_from(wait).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn asked_to_wait() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
        headers.insert(
            RETRY_AFTER,
            "Wed, 21 Oct 2099 07:28:00 GMT".parse().unwrap(),
        );
        assert!(retry_after(&headers).unwrap() > Duration::from_secs(1 << 30));
        headers.insert(
            RETRY_AFTER,
            "Wed, 21 Oct 2015 07:28:00 GMT".parse().unwrap(),
        );
        assert_eq!(retry_after(&headers), None);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn patience_ends() {
        let mut attempts = Attempts::new(Patience {
            attempts: 3,
            ..Patience::default()
        });
        let failure = || {
            let mut error = Error::new(Kind::TooMany, "get", "x", "slow down");
            error.retry_after = Some(Duration::from_secs(999_999_999));
            error
        };
        let began = tokio::time::Instant::now();
        attempts.again(failure()).await.unwrap();
        assert!(
            began.elapsed() <= Duration::from_secs(31),
            "a server may not stop us for years"
        );
        attempts.again(failure()).await.unwrap();
        assert!(attempts.again(failure()).await.is_err());
        attempts.progress();
        attempts.again(failure()).await.unwrap();
        let fatal = Error::new(Kind::NotFound, "get", "x", "gone");
        assert!(attempts.again(fatal).await.is_err());
    }
}
