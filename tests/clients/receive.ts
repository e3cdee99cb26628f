// What a receiver of webhooks does with the types that openapi-typescript makes. Reads a JSON list of the bodies that came,
// and prints a line for each.
import {readFileSync} from "node:fs";
import type {components} from "./payments.js";

function told(event: components["schemas"]["Event"]): string {
    switch (event.type) {
    case "payment.completed":
        return `${event.data.id} paid ${event.data.amount} ${event.data.currency}`;
    case "payment.failed":
        return `${event.data.id} failed ${event.data.failure?.code}`;
    case "payment.refunded":
        return `${event.data.id} refunded ${event.data.refund.amount} of ${event.data.amount}`;
    case "webhook.test":
        return `test ${event.data.livemode}`;
    default:
        return `${event.data.id} ${event.type}`;
    }
}

for (const event of JSON.parse(readFileSync(0, "utf8")) as components["schemas"]["Event"][]) {
    console.log(told(event));
}
