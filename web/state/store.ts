/** The page's database in the browser. */
const name = "fourstep";
const stores = ["pictures", "sketch"] as const;

type StoreName = (typeof stores)[number];

let opening: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      for (const store of stores) request.result.createObjectStore(store);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function within<T>(
  store: StoreName,
  mode: IDBTransactionMode,
  ask: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode);
    const request = ask(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

/** What is kept under a key; undefined where nothing is, or the browser keeps nothing. */
export async function stored(store: StoreName, key: IDBValidKey): Promise<unknown> {
  return within(store, "readonly", (kept) => kept.get(key)).catch(() => undefined);
}

/** All that is kept, in the order of the keys. */
export async function allStored(store: StoreName): Promise<readonly unknown[]> {
  return within(store, "readonly", (kept) => kept.getAll()).catch(() => []);
}

/** Keeps a value; in a browser that keeps nothing it does nothing. */
export async function keep(store: StoreName, key: IDBValidKey, value: unknown): Promise<void> {
  await within(store, "readwrite", (kept) => kept.put(value, key)).catch(() => {});
}

export async function forget(store: StoreName, key: IDBValidKey): Promise<void> {
  await within(store, "readwrite", (kept) => kept.delete(key)).catch(() => {});
}
