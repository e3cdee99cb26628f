// The database of the peer: SQLite with the durability of paymentsd (a commit is on the disk before it is answered).
import Database from 'better-sqlite3'

const SCHEMA = `
  CREATE TABLE keys (hash BLOB PRIMARY KEY, merchant BLOB NOT NULL, scopes TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE payments (
    id BLOB PRIMARY KEY, merchant BLOB NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, status TEXT NOT NULL,
    provider_ref TEXT, idempotency_key TEXT NOT NULL, request_hash BLOB, failure_code TEXT, created INTEGER NOT NULL);
  CREATE TABLE outbox (
    id INTEGER PRIMARY KEY, type TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER, delivered INTEGER);`
const INDEXES = `
  CREATE UNIQUE INDEX payments_by_key ON payments (merchant, idempotency_key);
  CREATE INDEX payments_by_time ON payments (merchant, id DESC);
  CREATE INDEX payments_by_status ON payments (merchant, status, id DESC);
  CREATE UNIQUE INDEX payments_by_ref ON payments (provider_ref) WHERE provider_ref IS NOT NULL;
  CREATE INDEX outbox_due ON outbox (due) WHERE delivered IS NULL;`
const FILTERS = {
  status: 'status = ?', currency: 'currency = ?', min_amount: 'amount >= ?', max_amount: 'amount <= ?'
}

export function openStore (path, seed, keyHash) {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.pragma('cache_size = -262144')
  db.pragma('mmap_size = 1073741824')
  db.pragma('wal_autocheckpoint = 4000')
  db.exec(SCHEMA)
  db.prepare('ATTACH ? AS seed').run(seed)
  db.exec(`INSERT INTO payments SELECT id, merchant_id, amount_minor, currency, status, provider_ref, idempotency_key, NULL,
    failure_code, created_us FROM seed.payments WHERE idempotency_key LIKE 'seed-%' ORDER BY rowid`)
  db.exec('DETACH seed')
  db.exec(INDEXES)
  const { merchant } = db.prepare('SELECT merchant FROM payments ORDER BY rowid LIMIT 1').get()
  db.prepare("INSERT INTO keys VALUES (?, ?, 'payments:read payments:write')").run(keyHash, merchant)
  db.pragma('wal_checkpoint(TRUNCATE)')

  const findKey = db.prepare('SELECT merchant, scopes FROM keys WHERE hash = ?')
  const reserve = db.prepare(`INSERT INTO payments VALUES (?, ?, ?, ?, 'pending', NULL, ?, ?, NULL, ?)
    ON CONFLICT (merchant, idempotency_key) DO NOTHING`)
  const byKey = db.prepare('SELECT * FROM payments WHERE merchant = ? AND idempotency_key = ?')
  const byId = db.prepare('SELECT * FROM payments WHERE id = ? AND merchant = ?')
  const settle = db.prepare('UPDATE payments SET status = ?, provider_ref = ?, failure_code = ? WHERE id = ?')
  const emit = db.prepare('INSERT INTO outbox (type, body, due) VALUES (?, ?, ?)')
  const due = db.prepare('SELECT id, type, body FROM outbox WHERE delivered IS NULL AND due <= ? ORDER BY due LIMIT 200')
  const delivered = db.prepare('UPDATE outbox SET delivered = ?, attempts = attempts + 1 WHERE id = ?')
  const later = db.prepare('UPDATE outbox SET due = ? + (1000 << min(attempts, 12)), attempts = attempts + 1 WHERE id = ?')
  const lists = new Map() // prepared statements by their text

  return {
    findKey: hash => findKey.get(hash),
    reserve: (...row) => reserve.run(...row).changes === 1,
    byKey: (merchant, key) => byKey.get(merchant, key),
    byId: (id, merchant) => byId.get(id, merchant),
    settle: db.transaction((payment, event, body) => {
      settle.run(payment.status, payment.provider_ref, payment.failure_code, payment.id)
      emit.run(event, body, Date.now())
    }),
    list: (merchant, query, limit) => {
      const given = Object.keys(FILTERS).filter(name => query[name] !== undefined)
      const where = ['merchant = ?', ...given.map(name => FILTERS[name])].join(' AND ')
      if (!lists.has(where)) {
        lists.set(where, db.prepare(`SELECT * FROM payments WHERE ${where} ORDER BY id DESC LIMIT ?`))
      }
      return lists.get(where).all(merchant, ...given.map(name => query[name]), limit)
    },
    due: () => due.all(Date.now()),
    record: db.transaction((good, bad) => {
      good.forEach(id => delivered.run(Date.now(), id))
      bad.forEach(id => later.run(Date.now(), id))
    })
  }
}
