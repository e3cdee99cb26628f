// A shop's program on the types that openapi-typescript makes: credentials, webhook, payments, a saved card, a refund
// and lists. Prints what came of each as one JSON object.
import createClient from "openapi-fetch";
import type {components, paths} from "./payments.js";

type ErrorAnswer = components["schemas"]["ErrorAnswer"];

function setting(name: string): string {
    const value = process.env[name];
    if (value === undefined) {
        throw new Error(`${name} is not set`);
    }
    return value;
}

function done<T>(answer: {data?: T; error?: ErrorAnswer}): T {
    if (answer.data === undefined) {
        throw new Error(JSON.stringify(answer.error));
    }
    return answer.data;
}

// Lists are there as CSV too.
const client = createClient<paths, "application/json">({
    baseUrl: setting("PAYMENTS_URL"),
    headers: {"X-API-Key": setting("PAYMENTS_KEY")},
});

await client.PUT("/v1/merchant/providers", {
    body: {provider: "stripe", stripe: {secret_key: setting("STRIPE_KEY")}},
}).then(done);
const webhook = done(await client.PUT("/v1/merchant/webhook", {body: {webhook_url: setting("WEBHOOK_URL")}}));

function pay(key: string, body: components["schemas"]["PaymentRequest"]) {
    return client.POST("/v1/payments", {params: {header: {"Idempotency-Key": key}}, body});
}

const payment = done(await pay("test-stripe-001", {
    amount: 10.00, currency: "USD", provider: "stripe", payment_method: "pm_card_visa",
})).data;
const declined = done(await pay("order-123", {
    amount: "50.00", currency: "USD", provider: "stripe", payment_method: "pm_card_declined",
    return_url: "https://merchant.com/return",
})).data;
const authenticated = done(await pay("order-124", {
    amount: "50.00", currency: "USD", provider: "stripe", payment_method: "pm_card_threeDSecure2Required",
    return_url: "https://merchant.com/return", off_session: false,
})).data;
const refused = await pay("test-stripe-001", {
    amount: 11, currency: "USD", provider: "stripe", payment_method: "pm_card_visa",
});

const card = done(await client.POST("/v1/payments/cards", {
    body: {payment_method_id: "pm_card_visa", customer_email: "user@example.com", customer_name: "Jane Doe"},
})).data;
const subscription = done(await pay("subscription-may-2025", {
    amount: "29.99", currency: "USD", provider: "stripe", saved_card_id: card.id,
})).data;
const cards = done(await client.GET("/v1/payments/cards", {params: {query: {page_size: 1}}}));
done(await client.DELETE("/v1/payments/cards/{id}", {params: {path: {id: card.id}}}));

const refund = done(await client.POST("/v1/refunds", {body: {payment_id: payment.id, amount: 2.50}})).data;

const query = {provider: "stripe", status: "completed", since: "2025-06-01T00:00:00Z", page_size: 1} as const;
const first = done(await client.GET("/v1/payments", {params: {query}}));
const cursor = first.meta.next_cursor;
if (cursor === null) {
    throw new Error("there is no second page");
}
const second = done(await client.GET("/v1/payments", {params: {query: {...query, cursor}}}));

const action = authenticated.next_action;
console.log(JSON.stringify({
    payment: [payment.id, payment.amount, payment.currency, payment.provider, payment.status],
    declined: [declined.status, declined.failure?.code],
    redirected: action?.type === "redirect_to_url" ? action.redirect_url : null,
    refused: [refused.response.status, refused.error?.errors.map((error) => error.code)],
    card: [card.last4, card.brand, cards.data.length],
    subscription: [subscription.id, subscription.amount, subscription.saved_card_id === card.id],
    refund: [refund.payment_id, refund.amount, refund.status],
    listed: [...first.data, ...second.data].map((listed) => listed.id),
    webhook_secret: webhook.data.webhook_secret,
}));
