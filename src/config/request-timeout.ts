/** The longest that a request may take to arrive, such as an upload of 5 MiB at about 45 kB/s. */
export const REQUEST_TIMEOUT_MS = 120_000;
