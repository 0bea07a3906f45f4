//! A request whose tokens are counted while its reply is made: the count meets what the upstream tells of it.

use std::sync::{Arc, Mutex, PoisonError};

use super::Size;
use crate::lane::calibration::Calibration;

/// Both numbers of one request. Whichever comes last teaches: a short reply may be there before its request is counted.
#[derive(Debug)]
pub(crate) struct Observation {
    provider: String,
    model: String,
    calibration: Arc<Calibration>,
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    counted: Option<Size>,
    told: Option<u64>,
}

impl Observation {
    pub(super) fn new(provider: &str, model: &str, calibration: Arc<Calibration>) -> Self {
        Self {
            provider: provider.to_owned(),
            model: model.to_owned(),
            calibration,
            numbers: Mutex::default(),
        }
    }

    /// What a tokenizer makes of it. Once.
    pub(super) fn counted(&self, size: Size) {
        self.note(|numbers| numbers.counted = Some(size));
    }

    /// The input tokens that the upstream told. Once.
    pub(crate) fn told(&self, tokens: u64) {
        self.note(|numbers| numbers.told = Some(tokens));
    }

    fn note(&self, note: impl FnOnce(&mut Numbers)) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut numbers);
        if let (Some(size), Some(told)) = (numbers.counted, numbers.told) {
            (self.calibration.pieces).learn(&self.provider, &self.model, size, told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_both_numbers_teaches() {
        let size = Size {
            text: 1_000,
            tools: 0,
        };
        let learnt = |note: &[fn(&Observation, Size)]| {
            let calibration = Arc::new(Calibration::default());
            let observation = Observation::new("p", "m", Arc::clone(&calibration));
            for note in note {
                note(&observation, size);
            }
            calibration.pieces.applied("p", "m", size)
        };
        let counted = |observation: &Observation, size| observation.counted(size);
        let told = |observation: &Observation, _| observation.told(1_500);
        assert_eq!(learnt(&[counted, told]), 1_500);
        assert_eq!(learnt(&[told, counted]), 1_500, "a quick reply");
        assert_eq!(learnt(&[counted]), 1_000);
        assert_eq!(learnt(&[told]), 1_000);
    }
}
