//! Page allocation and prefix sharing: [`PagePool`].
//!
//! A full page is identified by its [`PAGE`] tokens and by the page before it, compared token by token. A text with the
//! same prefix shares it. Unused pages stay known until their memory is needed; the least recently used go first.

use std::collections::{BTreeMap, HashMap};

use fireclay_model::PAGE;

/// Marks, in a text's list of pages, a page that is no longer needed.
pub(crate) const NO_PAGE: u32 = u32::MAX;

/// Identity of a known page's content, a number that is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Known(u64);

impl Known {
    /// The position before a text's first page.
    pub const BEGIN: Self = Self(0);
}

/// The page before, and the tokens.
type Content = (Known, [u32; PAGE]);

#[derive(Debug)]
pub(crate) struct PagePool {
    pages: Vec<Page>,
    /// Pages without content.
    free: Vec<u32>,
    known: HashMap<Content, u32>,
    /// Known unused pages, by the time they were given back.
    idle: BTreeMap<u64, u32>,
    /// Counter for [`Known`] and for times.
    count: u64,
}

#[derive(Clone, Debug, Default)]
struct Page {
    users: usize,
    content: Option<(Known, Content)>,
    /// Its key in `idle`.
    idle_since: u64,
}

impl PagePool {
    pub fn new(pages: usize) -> Self {
        let free = (0..pages as u32).rev().collect();
        Self { pages: vec![Page::default(); pages], free, known: HashMap::new(), idle: BTreeMap::new(), count: 0 }
    }

    /// Number of pages that can be taken.
    pub fn available(&self) -> usize {
        self.free.len() + self.idle.len()
    }

    /// Number of known unused pages.
    pub fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Takes a page: one without content, or else the one that has been idle for longest.
    pub fn take(&mut self) -> Option<u32> {
        let page = if let Some(page) = self.free.pop() {
            page
        } else {
            let (_, page) = self.idle.pop_first()?;
            let (_, content) = self.pages[page as usize].content.take().expect("idle pages are known");
            self.known.remove(&content);
            page
        };
        self.pages[page as usize].users = 1;
        Some(page)
    }

    /// Takes the known pages of the prefix of `tokens`, and returns the identity of the last one.
    pub fn take_known(&mut self, tokens: &[u32]) -> (Vec<u32>, Known) {
        let (mut found, mut before) = (vec![], Known::BEGIN);
        for tokens in tokens.as_chunks::<PAGE>().0 {
            let Some(&page) = self.known.get(&(before, *tokens)) else { break };
            let state = &mut self.pages[page as usize];
            if state.users == 0 {
                self.idle.remove(&state.idle_since);
            }
            state.users += 1;
            before = state.content.expect("a known page").0;
            found.push(page);
        }
        (found, before)
    }

    /// Registers the content of a page in use, which is, or will be before anyone reads it, filled. If another page is
    /// known with the same content, this one stays unknown.
    pub fn make_known(&mut self, page: u32, before: Known, tokens: [u32; PAGE]) -> Known {
        if let Some(&other) = self.known.get(&(before, tokens)) {
            return self.pages[other as usize].content.expect("a known page").0;
        }
        self.count += 1;
        let known = Known(self.count);
        self.known.insert((before, tokens), page);
        self.pages[page as usize].content = Some((known, (before, tokens)));
        known
    }

    /// Gives back a page that was taken.
    pub fn give_back(&mut self, page: u32) {
        let state = &mut self.pages[page as usize];
        assert!(state.users > 0, "a page is given back once by each that took it");
        state.users -= 1;
        if state.users > 0 {
            return;
        }
        if state.content.is_none() {
            return self.free.push(page);
        }
        self.count += 1;
        state.idle_since = self.count;
        self.idle.insert(self.count, page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(first: u32) -> [u32; PAGE] {
        std::array::from_fn(|i| first + i as u32)
    }

    /// Registers a text of two pages, and gives them back from the last to the first.
    fn leave_text(pool: &mut PagePool, first: u32) -> [u32; 2] {
        let pages = [pool.take().unwrap(), pool.take().unwrap()];
        let known = pool.make_known(pages[0], Known::BEGIN, tokens(first));
        pool.make_known(pages[1], known, tokens(first + 100));
        pages.iter().rev().for_each(|&page| pool.give_back(page));
        pages
    }

    #[test]
    fn known_pages_are_found_by_all_tokens_before_them() {
        let mut pool = PagePool::new(4);
        let pages = leave_text(&mut pool, 0);
        assert_eq!((pool.available(), pool.idle()), (4, 2));
        let same = [tokens(0), tokens(100), tokens(7)].concat();
        assert_eq!(pool.take_known(&same).0, pages);
        assert_eq!((pool.available(), pool.idle()), (2, 0));
        assert!(pool.take_known(&[tokens(1), tokens(100)].concat()).0.is_empty());
        assert_eq!(pool.take_known(&same[..PAGE + 3]).0, pages[..1]);
        // The second page alone is not a prefix.
        assert!(pool.take_known(&tokens(100)).0.is_empty());
    }

    #[test]
    fn pages_are_shared_and_given_back_by_each_user() {
        let mut pool = PagePool::new(2);
        let pages = leave_text(&mut pool, 0);
        let text = [tokens(0), tokens(100)].concat();
        let (first, second) = (pool.take_known(&text).0, pool.take_known(&text).0);
        assert_eq!((&first[..], &second[..]), (&pages[..], &pages[..]));
        for &page in &first {
            pool.give_back(page);
        }
        assert_eq!((pool.available(), pool.take()), (0, None));
        for &page in &second {
            pool.give_back(page);
        }
        assert_eq!(pool.available(), 2);
    }

    #[test]
    fn what_was_used_last_is_forgotten_last_and_ends_of_texts_first() {
        let mut pool = PagePool::new(4);
        let (old, new) = (leave_text(&mut pool, 0), leave_text(&mut pool, 50));
        // The old text is used again, and so becomes the more recent one.
        let again = pool.take_known(&[tokens(0), tokens(100)].concat()).0;
        again.iter().rev().for_each(|&page| pool.give_back(page));
        assert_eq!([pool.take(), pool.take(), pool.take()], [Some(new[1]), Some(new[0]), Some(old[1])]);
        assert_eq!(pool.take_known(&[tokens(0), tokens(100)].concat()).0, old[..1]);
    }

    #[test]
    fn of_equal_pages_one_is_known() {
        let mut pool = PagePool::new(2);
        let (a, b) = (pool.take().unwrap(), pool.take().unwrap());
        let known = pool.make_known(a, Known::BEGIN, tokens(0));
        assert_eq!(pool.make_known(b, Known::BEGIN, tokens(0)), known);
        pool.give_back(b);
        assert_eq!((pool.available(), pool.idle()), (1, 0));
    }
}
