import type { Config } from '../config/config.ts';
import type { Secrets } from '../config/secrets.ts';
import { type Found, ok, warning } from '../contract/finding.ts';
import { readRecord } from '../replication/drill/record.ts';

/** Sends nothing: only a running system shall ping HEARTBEAT_URL. */
export function checkNotify(config: Config, secrets: Secrets): Found {
  const { NOTIFY_FORMAT, NOTIFY_EMAIL, HEARTBEAT_URL } = { ...config, ...secrets };
  if (!config.notifies)
    return ok('no NOTIFY_URL, NOTIFY_EMAIL or HEARTBEAT_URL: nobody is told when something is wrong');
  const whom = [
    ...(secrets.NOTIFY_URL ? [`NOTIFY_URL as ${NOTIFY_FORMAT}`] : []),
    ...(NOTIFY_EMAIL ? [`the mail address ${NOTIFY_EMAIL}`] : []),
  ];
  const messages = whom.length === 0 ? 'no messages' : `messages to ${whom.join(' and ')}`;
  if (!HEARTBEAT_URL)
    return warning(
      `${messages}; no heartbeat: a machine that is gone tells nobody`,
      'Set HEARTBEAT_URL. ninelives notify --test sends a message.',
    );
  return ok(`${messages}; a heartbeat ${meaningOf(config)}`);
}

function meaningOf({ DATA_DIR, DRILL_INTERVAL_MS }: Config): string {
  if (readRecord(DATA_DIR).last !== undefined) return 'while ready, proven by a drill and within lag';
  const why = DRILL_INTERVAL_MS === 0 ? 'drills are off' : 'there was no drill yet';
  return `while ready and within lag alone: ${why}`;
}
