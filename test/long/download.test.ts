import { downloads } from '../kit/download.ts';

downloads(20_000_000);
