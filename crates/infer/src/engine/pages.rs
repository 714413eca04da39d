//! Page allocation and prefix sharing: [`PagePool`].
//!
//! A full page is identified by its [`PAGE`] tokens and by the page before it, compared token by token. A text with the
//! same prefix shares it. Unused pages stay registered until their memory is needed; the least recently used go first.

use std::collections::{BTreeMap, HashMap};

use fireclay_model::PAGE;

/// Marks, in a text's list of pages, a page that is no longer needed.
pub(crate) const NO_PAGE: u32 = u32::MAX;

/// Place of a page in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PageKey {
    /// The position before the first page of texts with this salt: pages of texts with different salts are never the
    /// same.
    Begin(u64),
    /// Identity of a registered page's content, a number that is never reused.
    After(u64),
}

/// The page before, and the tokens.
type Content = (PageKey, [u32; PAGE]);

#[derive(Debug)]
pub(crate) struct PagePool {
    pages: Vec<Page>,
    /// Pages without content.
    free: Vec<u32>,
    registered: HashMap<Content, u32>,
    /// Registered unused pages, by the time they were given back.
    idle: BTreeMap<u64, u32>,
    /// Counter for [`PageKey`] and for times.
    count: u64,
}

#[derive(Clone, Debug, Default)]
struct Page {
    users: usize,
    content: Option<(PageKey, Content)>,
    /// Its key in `idle`.
    idle_since: u64,
}

impl PagePool {
    pub fn new(pages: usize) -> Self {
        let free = (0..pages as u32).rev().collect();
        Self { pages: vec![Page::default(); pages], free, registered: HashMap::new(), idle: BTreeMap::new(), count: 0 }
    }

    /// Number of pages that can be taken.
    pub fn available(&self) -> usize {
        self.free.len() + self.idle.len()
    }

    /// Number of registered unused pages.
    pub fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Takes a page: one without content, or else the one that has been idle for longest.
    pub fn take(&mut self) -> Option<u32> {
        let page = if let Some(page) = self.free.pop() {
            page
        } else {
            let (_, page) = self.idle.pop_first()?;
            let (_, content) = self.pages[page as usize].content.take().expect("idle pages are registered");
            self.registered.remove(&content);
            page
        };
        self.pages[page as usize].users = 1;
        Some(page)
    }

    /// Takes the registered pages of the prefix of `tokens` after `begin`, and returns the key of the last one.
    pub fn take_cached(&mut self, begin: PageKey, tokens: &[u32]) -> (Vec<u32>, PageKey) {
        let (mut found, mut before) = (vec![], begin);
        for tokens in tokens.as_chunks::<PAGE>().0 {
            let Some(&page) = self.registered.get(&(before, *tokens)) else { break };
            let state = &mut self.pages[page as usize];
            if state.users == 0 {
                self.idle.remove(&state.idle_since);
            }
            state.users += 1;
            before = state.content.expect("a registered page").0;
            found.push(page);
        }
        (found, before)
    }

    /// Registers the content of a page in use, so that later requests find it. The page must be filled before it is
    /// read. If another page is registered with the same content, this one is not.
    pub fn register(&mut self, page: u32, before: PageKey, tokens: [u32; PAGE]) -> PageKey {
        if let Some(&other) = self.registered.get(&(before, tokens)) {
            return self.pages[other as usize].content.expect("a registered page").0;
        }
        self.count += 1;
        let key = PageKey::After(self.count);
        self.registered.insert((before, tokens), page);
        self.pages[page as usize].content = Some((key, (before, tokens)));
        key
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

    const BEGIN: PageKey = PageKey::Begin(0);

    fn tokens(first: u32) -> [u32; PAGE] {
        std::array::from_fn(|i| first + i as u32)
    }

    /// Registers a text of two pages, and gives them back from the last to the first.
    fn leave_text(pool: &mut PagePool, first: u32) -> [u32; 2] {
        let pages = [pool.take().unwrap(), pool.take().unwrap()];
        let key = pool.register(pages[0], BEGIN, tokens(first));
        pool.register(pages[1], key, tokens(first + 100));
        pages.iter().rev().for_each(|&page| pool.give_back(page));
        pages
    }

    #[test]
    fn registered_pages_are_found_by_all_tokens_before_them() {
        let mut pool = PagePool::new(4);
        let pages = leave_text(&mut pool, 0);
        assert_eq!((pool.available(), pool.idle()), (4, 2));
        let same = [tokens(0), tokens(100), tokens(7)].concat();
        assert_eq!(pool.take_cached(BEGIN, &same).0, pages);
        assert_eq!((pool.available(), pool.idle()), (2, 0));
        assert!(pool.take_cached(BEGIN, &[tokens(1), tokens(100)].concat()).0.is_empty());
        assert_eq!(pool.take_cached(BEGIN, &same[..PAGE + 3]).0, pages[..1]);
        // The second page alone is not a prefix.
        assert!(pool.take_cached(BEGIN, &tokens(100)).0.is_empty());
    }

    #[test]
    fn texts_with_different_salts_share_no_page() {
        let mut pool = PagePool::new(4);
        leave_text(&mut pool, 0);
        assert!(pool.take_cached(PageKey::Begin(1), &tokens(0)).0.is_empty());
        let page = pool.take().unwrap();
        let key = pool.register(page, PageKey::Begin(1), tokens(0));
        assert_eq!(pool.take_cached(PageKey::Begin(1), &tokens(0)), (vec![page], key));
    }

    #[test]
    fn pages_are_shared_and_given_back_by_each_user() {
        let mut pool = PagePool::new(2);
        let pages = leave_text(&mut pool, 0);
        let text = [tokens(0), tokens(100)].concat();
        let (first, second) = (pool.take_cached(BEGIN, &text).0, pool.take_cached(BEGIN, &text).0);
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
    fn the_least_recently_used_page_is_evicted_first_from_the_end_of_a_text() {
        let mut pool = PagePool::new(4);
        let (old, new) = (leave_text(&mut pool, 0), leave_text(&mut pool, 50));
        // The old text is used again, and so becomes the more recent one.
        let again = pool.take_cached(BEGIN, &[tokens(0), tokens(100)].concat()).0;
        again.iter().rev().for_each(|&page| pool.give_back(page));
        assert_eq!([pool.take(), pool.take(), pool.take()], [Some(new[1]), Some(new[0]), Some(old[1])]);
        assert_eq!(pool.take_cached(BEGIN, &[tokens(0), tokens(100)].concat()).0, old[..1]);
    }

    #[test]
    fn of_equal_pages_one_is_registered() {
        let mut pool = PagePool::new(2);
        let (a, b) = (pool.take().unwrap(), pool.take().unwrap());
        let key = pool.register(a, BEGIN, tokens(0));
        assert_eq!(pool.register(b, BEGIN, tokens(0)), key);
        pool.give_back(b);
        assert_eq!((pool.available(), pool.idle()), (1, 0));
    }
}
