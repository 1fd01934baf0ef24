/// Heights of a bar, from the lowest to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The bar for zero.
const NOTHING: char = '·';

/// One character for each value, scaled to the largest. Neighbours are added up if there is too little space.
pub(crate) fn sparkline(values: &[u64], width: usize) -> String {
    let each = values.len().div_ceil(width.max(1)).max(1);
    let sums: Vec<u64> = values.chunks(each).map(|values| values.iter().sum()).collect();
    let highest = sums.iter().copied().max().unwrap_or(0).max(1);
    sums.into_iter().map(|sum| bar(sum, highest)).collect()
}

fn bar(value: u64, highest: u64) -> char {
    if value == 0 {
        return NOTHING;
    }
    let steps = BARS.len() as u128;
    // From 1 to the number of steps, so that a single event is visible.
    let step = (u128::from(value) * steps).div_ceil(u128::from(highest)).clamp(1, steps);
    usize::try_from(step - 1).map_or(NOTHING, |index| BARS[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_has_the_highest_bar_and_what_happened_once_is_seen() {
        assert_eq!(sparkline(&[0, 1, 400, 800], 80), "·▁▄█");
        assert_eq!(sparkline(&[0, 0], 80), "··");
        assert_eq!(sparkline(&[], 80), "");
        assert_eq!(sparkline(&[u64::MAX, 1], 80), "█▁");
    }

    #[test]
    fn neighbours_are_added_up_where_there_is_too_little_room() {
        assert_eq!(sparkline(&[1; 60], 30).chars().count(), 30);
        assert_eq!(sparkline(&[1, 1, 0, 0], 2), "█·");
        assert_eq!(sparkline(&[1, 2], 0), "█");
    }
}
