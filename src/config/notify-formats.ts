/** The formats of a message to NOTIFY_URL. */
export const NOTIFY_FORMATS = ['json', 'slack', 'ntfy'] as const;
export type NotifyFormat = (typeof NOTIFY_FORMATS)[number];
