//! Tokens and what they cost.

use pizzapi_protocol::{Cost as Dollars, Usage};

use crate::model::{Cost, ModelSpec};

/// Fill in totals and prices. A model without known prices costs 0 here; lists show "unknown" for it.
pub fn priced(mut usage: Usage, model: &ModelSpec) -> Usage {
    let input = usage.input + usage.cache_read + usage.cache_write;
    if usage.total_tokens == 0 {
        usage.total_tokens = input + usage.output;
    }
    if let Some(cost) = &model.cost {
        usage.cost = dollars(&usage, &at_size(cost, input));
    }
    usage
}

fn at_size(cost: &Cost, input_tokens: u64) -> Cost {
    match cost.tiers.iter().rev().find(|tier| input_tokens > tier.above) {
        Some(tier) => Cost {
            input: tier.input,
            output: tier.output,
            cache_read: tier.cache_read,
            cache_write: tier.cache_write,
            tiers: Vec::new(),
        },
        None => cost.clone(),
    }
}

fn dollars(usage: &Usage, cost: &Cost) -> Dollars {
    const MILLION: f64 = 1_000_000.0;
    let long = usage.cache_write_1h.unwrap_or(0).min(usage.cache_write);
    let short = usage.cache_write - long;
    let input = usage.input as f64 * cost.input / MILLION;
    let output = usage.output as f64 * cost.output / MILLION;
    let cache_read = usage.cache_read as f64 * cost.cache_read / MILLION;
    // An hour in the cache costs twice the input price.
    let cache_write = (short as f64 * cost.cache_write + long as f64 * cost.input * 2.0) / MILLION;
    Dollars { input, output, cache_read, cache_write, total: input + output + cache_read + cache_write }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Api, CostTier, ModelEntry, ProviderEntry};

    #[test]
    fn large_requests_and_long_caches_cost_more() {
        let model = ModelEntry {
            id: "m".into(),
            cost: Some(Cost {
                input: 1.0,
                output: 2.0,
                cache_read: 0.1,
                cache_write: 1.25,
                tiers: vec![CostTier { above: 100, input: 10.0, output: 20.0, cache_read: 1.0, cache_write: 12.5 }],
            }),
            ..ModelEntry::default()
        }
        .resolve("p", &ProviderEntry { api: Some(Api::OpenaiCompletions), ..ProviderEntry::default() })
        .expect("api is named");
        let small = priced(Usage { input: 100, output: 1, ..Usage::default() }, &model);
        assert!((small.cost.total - 102.0 / 1e6).abs() < 1e-12);
        assert_eq!(small.total_tokens, 101);
        let large = priced(Usage { input: 101, ..Usage::default() }, &model);
        assert!((large.cost.total - 1010.0 / 1e6).abs() < 1e-12);
        let long = priced(Usage { cache_write: 10, cache_write_1h: Some(10), ..Usage::default() }, &model);
        assert!((long.cost.cache_write - 20.0 / 1e6).abs() < 1e-12);
    }
}
