//! Confidence intervals of shares.

/// Two-sided 95 % of a normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % interval (1927) for a share of `right` out of `n`; draws count half. From 0 to 1 without questions.
///
/// ```text
/// (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n)
/// ```
#[must_use]
pub fn wilson(right: f64, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let n = n as f64;
    let (p, z2) = (right / n, Z * Z);
    let centre = p + z2 / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(right: f64, n: usize, low: f64, high: f64) {
        let (found_low, found_high) = wilson(right, n);
        assert!((found_low - low).abs() < 5e-5 && (found_high - high).abs() < 5e-5, "{found_low} {found_high}");
    }

    /// The shares q at which `|q − right/n| = z·√(q(1 − q)/n)`, which define the interval, found by bisection.
    #[test]
    fn the_bounds_are_where_the_score_test_is_at_its_limit() {
        check(0.0, 10, 0.0, 0.2775);
        check(10.0, 10, 0.7225, 1.0);
        check(81.0, 263, 0.2553, 0.3662);
        check(50.0, 100, 0.4038, 0.5962);
        check(1.0, 1, 0.2065, 1.0);
        check(0.0, 0, 0.0, 1.0);
    }
}
