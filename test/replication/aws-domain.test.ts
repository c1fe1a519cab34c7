import t from 'tap';
import { awsDomain } from '../../src/replication/aws-domain.ts';

t.test('the regions in China have their endpoints under a domain of their own', async (t) => {
  t.equal(awsDomain('cn-north-1'), 'amazonaws.com.cn');
  t.equal(awsDomain('eu-central-1'), 'amazonaws.com');
});
