//! Numbers from 0 to 99 in words.

/// `42` as "forty-two".
pub fn english_number(number: u32) -> String {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    match (number / 10, number % 10) {
        (0 | 1, _) => SMALL[number as usize].to_string(),
        (tens @ 2..=9, 0) => TENS[tens as usize].to_string(),
        (tens @ 2..=9, ones) => format!("{}-{}", TENS[tens as usize], SMALL[ones as usize]),
        _ => number.to_string(),
    }
}

/// `42` as 四十二.
pub fn chinese_number(number: u32) -> String {
    const DIGITS: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    let digit = |digit: u32| DIGITS[digit as usize];
    match (number / 10, number % 10) {
        (0, ones) => digit(ones).to_string(),
        (1, 0) => "十".to_string(),
        (1, ones) => format!("十{}", digit(ones)),
        (tens @ 2..=9, 0) => format!("{}十", digit(tens)),
        (tens @ 2..=9, ones) => format!("{}十{}", digit(tens), digit(ones)),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_words() {
        let english = [0, 7, 13, 20, 42, 99].map(english_number);
        assert_eq!(english, ["zero", "seven", "thirteen", "twenty", "forty-two", "ninety-nine"]);
        assert_eq!(
            [0, 7, 10, 13, 20, 42, 99].map(chinese_number),
            ["零", "七", "十", "十三", "二十", "四十二", "九十九"]
        );
    }
}
