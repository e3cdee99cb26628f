// API versions: "2026-10-28.endive".
#pragma once

// What answers and events have the form of, and what a call without Stripe-Version gets.
#define VERSION_NEWEST "2026-10-28.endive"
