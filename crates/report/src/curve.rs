//! From a column of metrics to points: smoothing, thinning, and the axis range.

use fireclay_train::metrics::Point;

/// Largest number of points of a line.
pub const MOST_POINTS: usize = 1000;

/// The finite points of a series; lines pass over the gaps, and the page says how many there are.
pub fn finite(points: &[Point]) -> Vec<Point> {
    points.iter().filter(|(_, value)| value.is_finite()).copied().collect()
}

/// Width of the running mean in points: a fiftieth of the series, odd, at least 1.
pub fn smoothing_width(len: usize) -> usize {
    (len / 50) | 1
}

/// The centred running mean over `width` points. Near the start the window shrinks on both sides, so that the steep
/// first fall is not flattened; near the end only its right side is cut, so that the last value is not one noisy step.
///
/// The points must be finite.
pub fn smooth(points: &[Point], width: usize) -> Vec<Point> {
    let half = width / 2;
    let mut sums = Vec::with_capacity(points.len() + 1);
    sums.push(0.0);
    for &(_, value) in points {
        sums.push(sums[sums.len() - 1] + value);
    }
    let mean = |(i, &(step, _)): (usize, &Point)| {
        let reach = half.min(i);
        let (from, to) = (i - reach, (i + reach + 1).min(points.len()));
        (step, (sums[to] - sums[from]) / (to - from) as f64)
    };
    points.iter().enumerate().map(mean).collect()
}

/// At most `most` points that keep the outline: the first, the last, and the lowest and highest of each interval
/// between, in their order. Unlike taking every n-th point, this keeps all spikes.
pub fn thin(points: &[Point], most: usize) -> Vec<Point> {
    if points.len() <= most.max(4) {
        return points.to_vec();
    }
    let inner = &points[1..points.len() - 1];
    let stretches = (most.max(4) - 2) / 2;
    let mut kept = vec![points[0]];
    for i in 0..stretches {
        let stretch = &inner[i * inner.len() / stretches..(i + 1) * inner.len() / stretches];
        let by_value = |a: &&Point, b: &&Point| a.1.total_cmp(&b.1);
        let (Some(&low), Some(&high)) = (stretch.iter().min_by(by_value), stretch.iter().max_by(by_value)) else {
            continue;
        };
        let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
        kept.push(first);
        if second.0 > first.0 {
            kept.push(second);
        }
    }
    kept.push(points[points.len() - 1]);
    kept
}

/// The vertical range of a series: all of it, unless a few outliers (below the 1st or above the 99th percentile) would
/// squeeze the rest into less than a third of the height; then these are outside.
///
/// Returns `None` without points. `from_zero` starts a non-negative series at 0, for ratios and rates.
pub fn value_range(points: &[Point], from_zero: bool) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = points.iter().map(|&(_, value)| value).collect();
    values.sort_by(f64::total_cmp);
    let (lowest, highest) = (*values.first()?, *values.last()?);
    let hundredth = |q: usize| values[(values.len() - 1) * q / 100];
    let (low, high) = (hundredth(1), hundredth(99));
    let spread = high - low;
    let trusted = values.len() >= 100 && spread > 0.0;
    let mut bottom = if trusted && low - lowest > 2.0 * spread { low - spread / 2.0 } else { lowest };
    let top = if trusted && highest - high > 2.0 * spread { high + spread / 2.0 } else { highest };
    if from_zero && lowest >= 0.0 {
        bottom = 0.0;
    }
    let room = match top - bottom {
        0.0 if top == 0.0 => return Some((-1.0, 1.0)),
        0.0 => top.abs() * 0.1,
        height => height * 0.06,
    };
    let floor = if bottom == 0.0 { 0.0 } else { bottom - room };
    Some((floor, top + room))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: impl IntoIterator<Item = f64>) -> Vec<Point> {
        values.into_iter().enumerate().map(|(i, value)| (i as f64, value)).collect()
    }

    #[test]
    fn smoothing_a_line_gives_the_line_back_until_the_cut_end() {
        let line = series((0..100).map(f64::from));
        let smoothed = smooth(&line, 11);
        assert_eq!(smoothed.len(), 100);
        for i in 0..95 {
            assert!((smoothed[i].1 - line[i].1).abs() < 1e-9, "at {i}");
        }
        assert!((smoothed[99].1 - 96.5).abs() < 1e-9, "mean of 94..=99");
    }

    #[test]
    fn smoothing_evens_out_noise_and_keeps_a_constant() {
        let noisy = series((0..1000).map(|i| if i % 2 == 0 { 1.0 } else { 3.0 }));
        let smoothed = smooth(&noisy, smoothing_width(noisy.len()));
        assert!(smoothed[100..].iter().all(|point| (point.1 - 2.0).abs() < 0.11));
        assert_eq!(smooth(&series([5.0]), 1), [(0.0, 5.0)]);
        assert!(smooth(&[], 21).is_empty());
    }

    #[test]
    fn thinning_keeps_the_ends_the_order_and_every_spike() {
        let mut points = series((0..200_000).map(|i| f64::from(i % 7)));
        points[123_456].1 = 99.0;
        points[150_001].1 = -99.0;
        let thinned = thin(&points, MOST_POINTS);
        assert!(thinned.len() <= MOST_POINTS, "{} points", thinned.len());
        assert_eq!((thinned[0], thinned[thinned.len() - 1]), (points[0], points[199_999]));
        assert!(thinned.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(thinned.contains(&(123_456.0, 99.0)) && thinned.contains(&(150_001.0, -99.0)));
    }

    #[test]
    fn short_series_are_not_thinned() {
        for len in [0, 1, 2, 999, 1000] {
            let points = series((0..len).map(f64::from));
            assert_eq!(thin(&points, MOST_POINTS), points);
        }
        assert!(thin(&series((0..1001).map(f64::from)), MOST_POINTS).len() <= MOST_POINTS);
    }

    #[test]
    fn the_frame_leaves_out_a_lone_spike_but_not_a_steep_start() {
        let mut values: Vec<f64> = (0..1000).map(|i| 1.0 + 0.1 * f64::from(i % 10)).collect();
        values[500] = 1e6;
        let (_, top) = value_range(&series(values), false).expect("points");
        assert!(top < 3.0, "{top}");
        let falling = series((0..1000).map(|i| 2.0 + 6.0 * (-f64::from(i) / 60.0).exp()));
        let (bottom, top) = value_range(&falling, false).expect("points");
        assert!(bottom < 2.0 && top >= 8.0, "{bottom} {top}");
    }

    #[test]
    fn flat_and_single_series_still_get_a_frame() {
        for value in [0.0, 5.0, -3.0] {
            let (bottom, top) = value_range(&series([value]), false).expect("a point");
            assert!(bottom <= value && value <= top && bottom < top);
        }
        assert_eq!(value_range(&[], false), None);
        assert_eq!(value_range(&series([3.0, 4.0]), true).map(|range| range.0), Some(0.0));
    }
}
