COPY public.cdr (calldate, clid, src, dst, duration, billsec) FROM stdin;
2026-01-20 12:00:00	x	1002	37061234567	65	60
