import t from 'tap';
import { request } from '../support/http.ts';
import { startS3 } from '../support/s3.ts';
import { gate } from '../support/store-ways.ts';
import { start, until } from '../support/system.ts';

t.test(
  'a permission to write that ends is told though nothing is written, and so is its return',
  async (t) => {
    const s3 = await startS3(t);
    let isRefused = false;
    const S3_ENDPOINT = await gate(t, s3.endpoint, ({ method }) =>
      isRefused && method === 'PUT' ? [403, 'AccessDenied'] : undefined,
    );
    const system = await start(t, { REPLICA_URL: `s3://${s3.bucket}/p`, S3_ENDPOINT, ...s3.credentials });
    const reasons = async () =>
      ((await request(`${system.url}/ready?verbose`)).json.degraded ?? []).map(
        ({ reason }: { reason: string }) => reason,
      );
    await until(async () => (await reasons()).length === 0, 'all is well', 20_000);
    isRefused = true;
    const need = `s3:PutObject of s3://${s3.bucket}/p/lease.json`;
    const reason = `lease.json cannot be renewed: AccessDenied, status code: 403 for ${need}. Allow these credentials s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there.`;
    await until(async () => (await reasons()).includes(reason), 'it is told', 20_000);
    isRefused = false;
    await until(async () => (await reasons()).length === 0, 'all is well again', 20_000);
    await system.stop();
  },
);
