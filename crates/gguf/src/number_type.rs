//! Number types of tensors in GGUF files.

/// Number types of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberType {
    /// 32-bit numbers.
    F32,
    /// 16-bit numbers of IEEE 754.
    F16,
    /// bfloat16.
    Bf16,
    /// 32 numbers of 4 bits and a scale.
    Q4_0,
    /// 32 numbers of 4 bits, a scale and a minimum.
    Q4_1,
    /// 32 numbers of 5 bits and a scale.
    Q5_0,
    /// 32 numbers of 5 bits, a scale and a minimum.
    Q5_1,
    /// 32 numbers of 8 bits and a scale.
    Q8_0,
    /// 256 numbers of 4 bits, with scales and minima for each 32 and for all.
    Q4K,
    /// 256 numbers of 5 bits, with scales and minima for each 32 and for all.
    Q5K,
    /// 256 numbers of 6 bits, with scales for each 16 and for all.
    Q6K,
}

/// Each type with its number in a file, its name, the numbers of a block, and the block's bytes.
const TYPES: [(NumberType, u32, &str, usize, usize); 11] = [
    (NumberType::F32, 0, "F32", 1, 4),
    (NumberType::F16, 1, "F16", 1, 2),
    (NumberType::Q4_0, 2, "Q4_0", 32, 18),
    (NumberType::Q4_1, 3, "Q4_1", 32, 20),
    (NumberType::Q5_0, 6, "Q5_0", 32, 22),
    (NumberType::Q5_1, 7, "Q5_1", 32, 24),
    (NumberType::Q8_0, 8, "Q8_0", 32, 34),
    (NumberType::Q4K, 12, "Q4_K", 256, 144),
    (NumberType::Q5K, 13, "Q5_K", 256, 176),
    (NumberType::Q6K, 14, "Q6_K", 256, 210),
    (NumberType::Bf16, 30, "BF16", 1, 2),
];

/// Names of types that exist but are not supported.
const OTHERS: [(u32, &str); 18] = [
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (26, "I32"),
];

impl NumberType {
    pub(crate) fn of_code(code: u32) -> Option<Self> {
        TYPES.iter().find(|entry| entry.1 == code).map(|entry| entry.0)
    }

    /// Name of a type that is not supported.
    pub(crate) fn other_name(code: u32) -> String {
        OTHERS.iter().find(|other| other.0 == code).map_or_else(|| format!("type {code}"), |other| other.1.to_owned())
    }

    fn entry(self) -> (u32, &'static str, usize, usize) {
        let (_, code, name, numbers, bytes) = TYPES.into_iter().find(|entry| entry.0 == self).expect("all are listed");
        (code, name, numbers, bytes)
    }

    pub(crate) fn code(self) -> u32 {
        self.entry().0
    }

    /// The name: `Q4_K`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// The type of that name, in capitals or not, if there is one.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        TYPES.iter().find(|entry| entry.2.eq_ignore_ascii_case(name)).map(|entry| entry.0)
    }

    /// Numbers in a block.
    #[must_use]
    pub fn block_numbers(self) -> usize {
        self.entry().2
    }

    /// Bytes of a block.
    #[must_use]
    pub fn block_bytes(self) -> usize {
        self.entry().3
    }

    /// `general.file_type` of a file whose matrices are mostly of this type.
    #[must_use]
    pub fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q8_0 => 7,
            Self::Q5_0 => 8,
            Self::Q5_1 => 9,
            Self::Q4K => 15,
            Self::Q5K => 17,
            Self::Q6K => 18,
            Self::Bf16 => 32,
        }
    }
}
