//! Cases on which the proxy and its specification do not agree yet. A case that passes has to leave this list.

/// Names, and what is to be decided or mended.
pub const OPEN: &[(&str, &str)] = &[
    ("backend_ends_after_an_upload", UPLOAD),
    ("backend_that_never_answers_an_upload", UPLOAD),
    ("stale_post_is_not_sent_again", UPLOAD),
    ("stale_post_after_a_reset_is_not_sent_again", UPLOAD),
    ("chunks_too_large", TOO_LARGE),
    ("many_chunks_too_large", TOO_LARGE),
    (
        "discarded_after_bytes_that_come_with_the_next_request",
        "an idle connection is used without a look at it",
    ),
    ("cl_cl_identical", IDENTICAL),
    ("cl_cl_of_zeros", IDENTICAL),
    ("request_line_of_2_0", VERSION),
    ("request_line_of_3_0", VERSION),
    ("request_line_of_http2s_preface", VERSION),
];

const UPLOAD: &str = "an error after a body that was read whole closes the connection, and need not";
const TOO_LARGE: &str =
    "a backend gets chunks beyond the limit, with their end, before the client gets its 413";
const IDENTICAL: &str = "several lengths that agree are taken for one: allowed, and refused by the strictest";
const VERSION: &str =
    "400 in place of 505 when the request line comes in two pieces, the first up to the version";
