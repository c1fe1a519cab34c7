import { endsBeforeTheGap } from './sound-restore-fixture.ts';

endsBeforeTheGap('a folder');
