// The functions that the rows of router.c name, by their file.
#pragma once

#include "api/request.h"

// operator.c
void healthz_answer(struct request *request);
void readyz_answer(struct request *request);
void metrics_answer(struct request *request);
void openapi_answer(struct request *request);

// payment_create.c
void payment_create_read(struct request *request);
enum errc payment_create_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void payment_create_ahead(struct request *request, struct tx *tx);

// payments.c
void payment_list_read(struct request *request);
enum errc payment_list_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
enum errc payment_get_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void payment_get_ahead(struct request *request, struct tx *tx);
void payment_events_read(struct request *request);
enum errc payment_events_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// payment_end.c
void payment_capture_read(struct request *request);
enum errc payment_capture_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void payment_cancel_read(struct request *request);
enum errc payment_cancel_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// payment_authenticate.c
void payment_authenticate_read(struct request *request);
enum errc payment_authenticate_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// cards.c
void card_create_read(struct request *request);
enum errc card_create_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
enum errc card_get_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
enum errc card_delete_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
enum errc card_default_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void card_list_read(struct request *request);
enum errc card_list_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// refunds.c
void refund_create_read(struct request *request);
enum errc refund_create_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
enum errc refund_get_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void refund_list_read(struct request *request);
enum errc refund_list_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// customers.c
enum errc customer_get_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void customer_list_read(struct request *request);
enum errc customer_list_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// disputes.c
enum errc dispute_get_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void dispute_list_read(struct request *request);
enum errc dispute_list_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// inbound_events.c
void inbound_events_read(struct request *request);
enum errc inbound_events_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// webhook_logs.c
void webhook_logs_read(struct request *request);
enum errc webhook_logs_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void webhook_redeliver_read(struct request *request);
enum errc webhook_redeliver_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void webhook_test_read(struct request *request);
enum errc webhook_test_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// audit_logs.c
void audit_logs_read(struct request *request);
enum errc audit_logs_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// admin_keys.c
void admin_keys_read(struct request *request);
enum errc admin_keys_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void admin_key_create_read(struct request *request);
enum errc admin_key_create_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void admin_key_revoke_read(struct request *request);
enum errc admin_key_revoke_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// admin_merchants.c
void admin_merchants_read(struct request *request);
enum errc admin_merchants_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void admin_merchant_create_read(struct request *request);
enum errc admin_merchant_create_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void admin_merchant_update_read(struct request *request);
enum errc admin_merchant_update_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// merchant.c
enum errc merchant_me_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void webhook_put_read(struct request *request);
enum errc webhook_put_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// providers.c
enum errc providers_list_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
void providers_put_read(struct request *request);
enum errc providers_put_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
enum errc providers_delete_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;

// provider_events.c
enum errc provider_event_check_head(struct request *request, struct err *err) MUST_CHECK;
void provider_event_read(struct request *request);
enum errc provider_event_work(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
