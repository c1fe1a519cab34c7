import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes(['notify-cut', 'notify-crashes']);
