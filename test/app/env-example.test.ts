import { readFileSync } from 'node:fs';
import t from 'tap';
import { loadConfig, settingNames } from '../../src/config/config.ts';
import { loadAppSettings } from '../../src/features/app-settings.ts';

const CWD = '/srv/app';

t.test('the example file holds every setting, no other, and the true defaults', async (t) => {
  const ofApp = await loadAppSettings();
  const text = readFileSync(new URL('../../config/.env.example', import.meta.url), 'utf8');
  const example = new Map(
    [...text.matchAll(/^([A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name as string, value]),
  );
  t.same([...example.keys()].sort(), [...settingNames(), ...Object.keys(ofApp)].sort());
  const defaults = loadConfig({}, CWD).config;
  t.same(
    loadConfig(Object.fromEntries(example), CWD).config,
    defaults,
    'copied unchanged it changes nothing',
  );
  const unsetByDefault = [
    'PUBLIC_URL',
    'CORS_ORIGINS',
    'TRUSTED_PROXIES',
    'SPARE_WORKERS',
    'WORKERS',
    'REPLICA_URL',
    'S3_ENDPOINT',
    'LITESTREAM_BIN',
    'SMTP_URL',
    'MAIL_FROM',
    'NOTIFY_URL',
    'NOTIFY_EMAIL',
    'HEARTBEAT_URL',
    'OPS_LISTEN',
    'NODE_NAME',
    'PEER_URL',
    'PEER_LISTEN',
    'PEER_SECRET',
  ];
  const empty = [...example]
    .filter(([name, value]) => value === '' && !(name in ofApp))
    .map(([name]) => name);
  for (const [name, { default: fallback = '' }] of Object.entries(ofApp))
    t.equal(example.get(name), fallback, name);
  t.same(empty.filter((name) => !/^AWS_/.test(name)).sort(), unsetByDefault.sort());
});
