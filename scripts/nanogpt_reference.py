#!/usr/bin/env python3
"""nanoGPT's CPU setting on tinyshakespeare in PyTorch, with the loss over the whole validation split: what recipe shakespeare-char compares with.

usage: nanogpt_reference.py tinyshakespeare.txt SEED [bias]          needs: pip install torch

On as many threads as OMP_NUM_THREADS says, or one.
"""
import torch, torch.nn as nn, torch.nn.functional as F, math, os, sys, time
seed=int(sys.argv[2]); bias=len(sys.argv)>3
torch.manual_seed(seed); torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', 1)))
text=open(sys.argv[1]).read(); chars=sorted(set(text)); st={c:i for i,c in enumerate(chars)}
data=torch.tensor([st[c] for c in text]); n=int(len(data)*.9); tr,va=data[:n],data[n:]
D,L,H,T,B,V=128,4,4,64,12,len(chars)
class LN(nn.Module):
    def __init__(s): super().__init__(); s.w=nn.Parameter(torch.ones(D)); s.b=nn.Parameter(torch.zeros(D)) if bias else None
    def forward(s,x): return F.layer_norm(x,(D,),s.w,s.b,1e-5)
class Blk(nn.Module):
    def __init__(s):
        super().__init__(); s.l1,s.l2=LN(),LN(); s.a=nn.Linear(D,3*D,bias=bias); s.p=nn.Linear(D,D,bias=bias); s.u=nn.Linear(D,4*D,bias=bias); s.d=nn.Linear(4*D,D,bias=bias)
    def forward(s,x):
        b,t,_=x.shape; q,k,v=(z.view(b,t,H,D//H).transpose(1,2) for z in s.a(s.l1(x)).split(D,2))
        x=x+s.p(F.scaled_dot_product_attention(q,k,v,is_causal=True).transpose(1,2).reshape(b,t,D))
        return x+s.d(F.gelu(s.u(s.l2(x))))
class G(nn.Module):
    def __init__(s):
        super().__init__(); s.e=nn.Embedding(V,D); s.pe=nn.Embedding(T,D); s.b=nn.ModuleList(Blk() for _ in range(L)); s.n=LN()
        for m in s.modules():
            if isinstance(m,(nn.Linear,nn.Embedding)): nn.init.normal_(m.weight,0,.02)
            if isinstance(m,nn.Linear) and m.bias is not None: nn.init.zeros_(m.bias)
        for b in s.b: nn.init.normal_(b.p.weight,0,.02/math.sqrt(2*L)); nn.init.normal_(b.d.weight,0,.02/math.sqrt(2*L))
    def forward(s,x,y):
        h=s.e(x)+s.pe(torch.arange(x.shape[1]))
        for b in s.b: h=b(h)
        return F.cross_entropy((s.n(h)@s.e.weight.T).view(-1,V),y.view(-1))
m=G(); ps=list(m.parameters())
o=torch.optim.AdamW([dict(params=[p for p in ps if p.dim()>1],weight_decay=.1),dict(params=[p for p in ps if p.dim()<2],weight_decay=0.)],lr=1e-3,betas=(.9,.99))
for it in range(2001):
    lr=1e-3*(it+1)/101 if it<100 else 1e-4+.5*(1+math.cos(math.pi*(it-100)/1900))*9e-4
    for g in o.param_groups: g['lr']=lr
    if it==2000: break
    ix=torch.randint(len(tr)-T,(B,)); x=torch.stack([tr[i:i+T] for i in ix]); y=torch.stack([tr[i+1:i+1+T] for i in ix])
    l=m(x,y); o.zero_grad(); l.backward(); torch.nn.utils.clip_grad_norm_(ps,1.); o.step()
m.eval()
with torch.no_grad():
    k=(len(va)-1)//T; x=va[:k*T].view(k,T); y=va[1:k*T+1].view(k,T)
    print('full val', sum(m(x[i:i+64],y[i:i+64]).item()*len(x[i:i+64]) for i in range(0,k,64))/k, 'seed',seed,'bias',bias, flush=True)
