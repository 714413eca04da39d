// What the browser keeps for this page; where it keeps nothing, it is kept while the page is open.

const open = (name) => {
  try {
    return globalThis[name];
  } catch {
    return null;
  }
};

function keeper(name) {
  const storage = open(name);
  const held = new Map();
  const attempt = (work, otherwise) => {
    try {
      return storage ? work() : otherwise();
    } catch {
      return otherwise();
    }
  };
  return {
    get: (key) => attempt(() => storage.getItem(key), () => held.get(key) ?? null),
    set: (key, value) => attempt(() => storage.setItem(key, value), () => { held.set(key, value); }),
    remove: (key) => attempt(() => storage.removeItem(key), () => { held.delete(key); }),
  };
}

/** For all tabs, for good. */
export const local = keeper('localStorage');
/** For this tab, across reloads. */
export const session = keeper('sessionStorage');
