/** How a message to NOTIFY_URL can be written. */
export const NOTIFY_FORMATS = ['json', 'slack', 'ntfy'] as const;
export type NotifyFormat = (typeof NOTIFY_FORMATS)[number];
