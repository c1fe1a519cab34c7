export const HUNG_AFTER_MS = 10_000;
