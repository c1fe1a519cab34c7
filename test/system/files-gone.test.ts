import t from 'tap';
import { losesNoWrite } from './files-gone-fixture.ts';

t.test(
  'a main.db-wal that is removed while it is in use, twice, loses no write, and all is well again',
  (t) => losesNoWrite(t, 'main.db-wal', 2),
);
