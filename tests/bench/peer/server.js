// What one would otherwise write: payments on Fastify, better-sqlite3 and Stripe's own library, in one process. It does what
// `make bench` asks of paymentsd: keys with scopes, idempotency, exact money, an outbox, signed webhooks. It takes its rows
// from the database SEED, and prints its API key once it listens.
import crypto from 'node:crypto'
import http from 'node:http'
import Fastify from 'fastify'
import Stripe from 'stripe'
import { openStore } from './store.js'

const { DATABASE, PORT, SEED, STRIPE, WEBHOOK_URL } = process.env
const API_KEY = 'sk_live_' + crypto.randomBytes(24).toString('hex')
const PEPPER = crypto.randomBytes(32)
const WEBHOOK_SECRET = crypto.randomBytes(32)
const UUID = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
const DELIVER_EVERY_MS = 50
const DELIVERIES_AT_ONCE = 32

const hashOf = text => crypto.createHmac('sha256', PEPPER).update(text).digest()
const store = openStore(DATABASE, SEED, hashOf(API_KEY))
const stripeUrl = new URL(STRIPE)
const stripe = new Stripe('sk_test_0123456789abcdefghijklmn', {
  host: stripeUrl.hostname,
  port: stripeUrl.port,
  protocol: 'http',
  telemetry: false,
  httpAgent: new http.Agent({ keepAlive: true, maxSockets: 1024 })
})

class Refused extends Error {
  constructor (statusCode, code) {
    super(code)
    this.statusCode = statusCode
  }
}

// "12.34" to 1234; every currency of the benchmark has two decimals.
function minorOf (text) {
  const found = /^(\d{1,9})(?:\.(\d{1,2}))?$/.exec(text)
  if (!found) throw new Refused(422, 'AMOUNT')
  return Number(found[1]) * 100 + Number((found[2] ?? '').padEnd(2, '0'))
}

function uuid7 () {
  const id = crypto.randomBytes(16)
  id.writeUIntBE(Date.now(), 0, 6)
  id[6] = 0x70 | (id[6] & 0x0f)
  id[8] = 0x80 | (id[8] & 0x3f)
  return id
}

const idText = id => id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
const shown = row => ({
  id: idText(row.id),
  amount: `${Math.floor(row.amount / 100)}.${String(row.amount % 100).padStart(2, '0')}`,
  currency: row.currency,
  provider: 'stripe',
  status: row.status,
  provider_ref: row.provider_ref,
  idempotency_key: row.idempotency_key,
  failure_code: row.failure_code,
  created_at: new Date(row.created / 1000).toISOString()
})

const text = { type: 'string' }
const nullable = { type: ['string', 'null'] }
const payment = {
  type: 'object',
  properties: {
    id: text, amount: text, currency: text, provider: text, status: text, provider_ref: nullable,
    idempotency_key: text, failure_code: nullable, created_at: text
  }
}
const answer = data => ({ '2xx': { type: 'object', properties: { data } } })

const app = Fastify({ logger: false })
app.decorateRequest('merchant', null)

const needs = scope => async request => {
  const key = store.findKey(hashOf(request.headers['x-api-key'] ?? ''))
  if (!key) throw new Refused(401, 'UNAUTHORIZED')
  if (!key.scopes.split(' ').includes(scope)) throw new Refused(403, 'SCOPE')
  request.merchant = key.merchant
}

async function charge (row, method) {
  try {
    const intent = await stripe.paymentIntents.create({
      amount: row.amount,
      currency: row.currency.toLowerCase(),
      payment_method: method,
      confirm: true,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      metadata: { payment_id: idText(row.id) }
    }, { idempotencyKey: idText(row.id) })
    return { ...row, status: intent.status === 'succeeded' ? 'completed' : 'pending', provider_ref: intent.id }
  } catch (error) {
    if (error.type !== 'StripeCardError') throw new Refused(502, 'PROVIDER')
    return { ...row, status: 'failed', failure_code: error.code }
  }
}

app.post('/v1/payments', {
  onRequest: needs('payments:write'),
  schema: {
    body: {
      type: 'object',
      required: ['amount', 'currency', 'provider', 'payment_method'],
      properties: { amount: text, currency: { enum: ['USD', 'EUR', 'GBP'] }, provider: { const: 'stripe' }, payment_method: text }
    },
    headers: { type: 'object', required: ['idempotency-key'], properties: { 'idempotency-key': { ...text, maxLength: 255 } } },
    response: answer(payment)
  }
}, async (request, reply) => {
  const { body, merchant } = request
  const key = request.headers['idempotency-key']
  const hash = hashOf(JSON.stringify(body))
  const row = {
    id: uuid7(), merchant, amount: minorOf(body.amount), currency: body.currency, status: 'pending', provider_ref: null,
    idempotency_key: key, failure_code: null, created: Date.now() * 1000
  }
  reply.code(201)
  if (!store.reserve(row.id, merchant, row.amount, row.currency, key, hash, row.created)) {
    const first = store.byKey(merchant, key)
    if (!hash.equals(first.request_hash)) throw new Refused(409, 'KEY_REUSED')
    return { data: shown(first) }
  }
  const settled = await charge(row, body.payment_method)
  const event = `payment.${settled.status}`
  const data = shown(settled)
  store.settle(settled, event, JSON.stringify({ type: event, data }))
  return { data }
})

app.get('/v1/payments/:id', {
  onRequest: needs('payments:read'),
  schema: { params: { type: 'object', properties: { id: { type: 'string', pattern: UUID } } }, response: answer(payment) }
}, async request => {
  const row = store.byId(Buffer.from(request.params.id.replaceAll('-', ''), 'hex'), request.merchant)
  if (!row) throw new Refused(404, 'NOT_FOUND')
  return { data: shown(row) }
})

app.get('/v1/payments', {
  onRequest: needs('payments:read'),
  schema: {
    querystring: {
      type: 'object',
      properties: {
        page_size: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
        status: text, currency: text, min_amount: text, max_amount: text
      }
    },
    response: answer({ type: 'array', items: payment })
  }
}, async request => {
  const { page_size: limit, ...query } = request.query
  for (const name of ['min_amount', 'max_amount']) {
    if (query[name] !== undefined) query[name] = minorOf(query[name])
  }
  return { data: store.list(request.merchant, query, limit).map(shown) }
})

// The outbox.

const webhookAgent = new http.Agent({ keepAlive: true, maxSockets: DELIVERIES_AT_ONCE })

function deliver (row) {
  const time = String(Math.floor(Date.now() / 1000))
  const signature = crypto.createHmac('sha256', WEBHOOK_SECRET).update(`${time}.${row.body}`).digest('hex')
  return new Promise(resolve => {
    const request = http.request(WEBHOOK_URL, {
      method: 'POST',
      agent: webhookAgent,
      timeout: 10_000,
      headers: {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(row.body),
        'X-Event-Type': row.type,
        'X-Payments-Timestamp': time,
        'X-Payments-Signature': `sha256=${signature}`
      }
    }, response => {
      response.resume()
      response.on('end', () => resolve(response.statusCode < 300))
    })
    request.on('error', () => resolve(false))
    request.on('timeout', () => request.destroy(new Error('time-out')))
    request.end(row.body)
  })
}

async function deliverDue () {
  const rows = store.due()
  const taken = await Promise.all(rows.map(deliver))
  if (rows.length > 0) {
    store.record(rows.filter((_, i) => taken[i]).map(row => row.id), rows.filter((_, i) => !taken[i]).map(row => row.id))
  }
  setTimeout(deliverDue, rows.length > 0 ? 0 : DELIVER_EVERY_MS)
}

await app.listen({ host: '127.0.0.1', port: Number(PORT) })
deliverDue()
console.log(JSON.stringify({ key: API_KEY }))
