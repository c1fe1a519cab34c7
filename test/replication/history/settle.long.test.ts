import { settlesIn } from './settle-place-fixture.ts';

settlesIn('a bucket');
