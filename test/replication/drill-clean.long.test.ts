import { startS3 } from '../support/s3.ts';
import { raisesNoAlarm } from './drill-clean-fixture.ts';
import { kinds } from './drill-fixture.ts';

raisesNoAlarm(kinds(startS3)[1]!);
