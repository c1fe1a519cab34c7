export const DRAIN_TIMEOUT_MS = 3000;
