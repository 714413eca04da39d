//! Runs the tile instructions of AMX on a CPU that has none. Each is an invalid instruction there, and a handler of
//! the signal that Linux sends for it computes what the instruction would. So the kernels for AMX are tested on every
//! CPU that can pack their operands. (Encodings and meaning: "Intel 64 and IA-32 Architectures Software Developer's
//! Manual", volume 2.)

#![expect(unsafe_code, reason = "a signal handler, and what instructions read and write")]

use std::cell::UnsafeCell;
use std::sync::Once;

use libc::{c_int, c_void, siginfo_t, ucontext_t};

/// The general registers by their number in an instruction.
const REGISTERS: [c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// Rows of a tile, and pairs of elements in one.
const ROWS: usize = 16;
type TileRows = [[u32; ROWS]; ROWS];

/// The eight whole tiles of a thread.
struct TileState {
    configured: bool,
    tiles: [TileRows; 8],
}

thread_local! {
    static TILES: UnsafeCell<TileState> =
        const { UnsafeCell::new(TileState { configured: false, tiles: [[[0; ROWS]; ROWS]; 8] }) };
}

/// From now on the process can run tile instructions.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: the handler allocates nothing, takes no lock, and leaves every other instruction to the default.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
            assert_eq!(
                libc::sigaction(libc::SIGILL, &raw const action, std::ptr::null_mut()),
                0,
                "a handler is allowed"
            );
        }
    });
}

extern "C" fn handle(signal: c_int, _info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives the context of this thread; its instruction pointer is at an instruction.
    unsafe {
        let registers = &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs;
        let code = registers[libc::REG_RIP as usize] as usize as *const u8;
        let of_registers = |number: u8| registers[REGISTERS[usize::from(number)] as usize] as usize;
        let done = Instruction::decode(code, of_registers).and_then(|instruction| {
            TILES.with(|tiles| instruction.run(&mut *tiles.get())).then_some(instruction.length)
        });
        match done {
            Some(length) => registers[libc::REG_RIP as usize] += length as i64,
            // The instruction is tried again, and ends the process as it would have.
            None => drop(libc::signal(signal, libc::SIG_DFL)),
        }
    }
}

/// An instruction of the VEX map 0F 38 of 128 bits with W = 0.
struct Instruction {
    opcode: u8,
    /// The mandatory prefix: 0 none, 1 for 66, 2 for F3, 3 for F2.
    prefix: u8,
    /// The tile registers of ModRM.reg, ModRM.rm, and VEX.vvvv.
    tiles: [usize; 3],
    /// Address and stride in bytes, unless ModRM.rm is a register.
    memory: Option<[usize; 2]>,
    length: usize,
}

impl Instruction {
    /// # Safety
    /// `code` points at an instruction.
    unsafe fn decode(code: *const u8, register: impl Fn(u8) -> usize) -> Option<Self> {
        // SAFETY: an instruction is as long as its own bytes say.
        let byte = |index: usize| unsafe { code.add(index).read() };
        let [vex, second, opcode, modrm] = [byte(1), byte(2), byte(3), byte(4)];
        if byte(0) != 0xc4 || vex & 31 != 2 || second & 0x84 != 0 {
            return None;
        }
        let (mode, rm) = (modrm >> 6, modrm & 7);
        let high = |inverted: u8| if inverted == 0 { 8 } else { 0 };
        let (mut length, mut memory) = (5, None);
        if mode != 3 {
            let (mut base, mut index) = (rm | high(vex & 0x20), None);
            if rm == 4 {
                let sib = byte(5);
                length += 1;
                base = sib & 7 | high(vex & 0x20);
                let number = sib >> 3 & 7 | high(vex & 0x40);
                index = (number != 4).then_some((number, sib >> 6));
            }
            // Addresses without a base or relative to the code are not needed.
            if mode == 0 && base & 7 == 5 {
                return None;
            }
            let displacement = match mode {
                1 => i64::from(byte(length).cast_signed()),
                2 => i64::from(i32::from_le_bytes([0, 1, 2, 3].map(|at| byte(length + at)))),
                _ => 0,
            };
            length += [0, 1, 4][usize::from(mode)];
            let address = register(base).wrapping_add_signed(displacement as isize);
            memory = Some([address, index.map_or(0, |(number, scale)| register(number) << scale)]);
        }
        let tiles = [modrm >> 3 & 7, rm, !second >> 3 & 7].map(usize::from);
        Some(Self { opcode, prefix: second & 3, tiles, memory, length })
    }

    /// Whether it is known, and the tiles are configured for it.
    ///
    /// # Safety
    /// What it reads is readable, and what it writes writable.
    unsafe fn run(&self, state: &mut TileState) -> bool {
        let [first, second, third] = self.tiles;
        // SAFETY: the caller's promise.
        unsafe {
            match (self.opcode, self.prefix, self.memory) {
                (0x49, 0, Some([address, index])) => {
                    // The palette; from byte 16 on the bytes of a row of each tile, 2 for a tile; from 48 on the rows.
                    let config = &*((address + index) as *const [u8; 64]);
                    let whole_rows = config[16..32].as_chunks::<2>().0.iter().all(|&bytes| bytes == [64, 0]);
                    let whole = whole_rows && config[48..56] == [ROWS as u8; 8];
                    *state = TileState { configured: config[0] == 1 && whole, tiles: [[[0; ROWS]; ROWS]; 8] };
                }
                (0x49, 0, None) => state.configured = false,
                (0x49, 3, None) if state.configured => state.tiles[first] = [[0; ROWS]; ROWS],
                (0x4b, 3, Some([address, stride])) if state.configured => {
                    for (row, numbers) in state.tiles[first].iter_mut().enumerate() {
                        *numbers = ((address + row * stride) as *const [u32; ROWS]).read_unaligned();
                    }
                }
                (0x4b, 2, Some([address, stride])) if state.configured => {
                    for (row, numbers) in state.tiles[first].iter().enumerate() {
                        ((address + row * stride) as *mut [u32; ROWS]).write_unaligned(*numbers);
                    }
                }
                (0x5c, 2, None) if state.configured => {
                    let (a, b) = (state.tiles[second], state.tiles[third]);
                    add_products(&mut state.tiles[first], &a, &b);
                }
                (0x5e, 2, None) if state.configured => {
                    let (a, b) = (state.tiles[second], state.tiles[third]);
                    add_integer_products(&mut state.tiles[first], &a, &b);
                }
                _ => return false,
            }
        }
        state.configured || (self.opcode, self.prefix) == (0x49, 0)
    }
}

/// Sums ← sums + A·B of four bytes each, of A with a sign and of B without.
fn add_integer_products(sums: &mut TileRows, a: &TileRows, b: &TileRows) {
    for (sums, a) in sums.iter_mut().zip(a) {
        for (a, b) in a.iter().zip(b) {
            for (sum, b) in sums.iter_mut().zip(b) {
                for (a, b) in a.to_le_bytes().into_iter().zip(b.to_le_bytes()) {
                    *sum = sum.wrapping_add_signed(i32::from(a.cast_signed()) * i32::from(b));
                }
            }
        }
    }
}

/// Sums ← sums + A·B of pairs of bf16 numbers. As the manual has it, the products of the first numbers of all pairs are
/// summed from 0, those of the second too, and both are added to the sum; subnormal operands and results are flushed to
/// 0.
fn add_products(sums: &mut TileRows, a: &TileRows, b: &TileRows) {
    let flushed = |number: f32| if number.is_subnormal() { 0.0f32.copysign(number) } else { number };
    let halves = |pair: u32| [pair << 16, pair & 0xffff_0000].map(|half| flushed(f32::from_bits(half)));
    for (sums, a) in sums.iter_mut().zip(a) {
        let mut added = [[0.0f32; ROWS]; 2];
        for (&a, b) in a.iter().zip(b) {
            let [first, second] = halves(a);
            for column in 0..ROWS {
                let [of_first, of_second] = halves(b[column]);
                added[0][column] = flushed(first.mul_add(of_first, added[0][column]));
                added[1][column] = flushed(second.mul_add(of_second, added[1][column]));
            }
        }
        for column in 0..ROWS {
            let both = flushed(added[0][column] + added[1][column]);
            sums[column] = flushed(flushed(f32::from_bits(sums[column])) + both).to_bits();
        }
    }
}
